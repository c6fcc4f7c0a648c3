package tradelane.peer;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.Security;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.mail.Header;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * An AS2 partner on BouncyCastle and javax.mail, in a process of its own.
 *
 * <p>Its one argument is the folder of its keys. Each line on standard input is a question and each line on standard
 * output its answer, both form-encoded: `send` a message, tell what was `received`. The first line says where it
 * listens, for messages and receipts alike. It ends with its input.
 */
final class Peer {
    private static final int PATIENCE_S = 900;

    private final Keys keys;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final Map<String, CompletableFuture<Map<String, String>>> received = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<Smime.Entity>> receipts = new ConcurrentHashMap<>();

    private Peer(Keys keys) throws IOException {
        this.keys = keys;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.setExecutor(threads);
        server.createContext("/as2", this::take);
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Peer peer = new Peer(Keys.in(Path.of(arguments[0])));
        peer.server.start();
        tell(Map.of("url", peer.url(), "versions", "BouncyCastle " + Security.getProvider("BC").getVersionStr()
            + ", javax.mail " + javax.mail.Session.class.getPackage().getImplementationVersion()
            + ", Java " + Runtime.version().feature()));
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            tell(peer.answered(decoded(line)));
        }
        System.exit(0);
    }

    private String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/as2";
    }

    private Map<String, String> answered(Map<String, String> question) {
        try {
            return switch (question.get("do")) {
                case "send" -> send(question);
                case "received" -> awaited(received, question.get("id")).get(PATIENCE_S, TimeUnit.SECONDS);
                default -> throw new IllegalArgumentException(question.get("do"));
            };
        } catch (Exception error) {
            return Map.of("error", error.toString());
        }
    }

    /** Builds a message, posts it, and judges its receipt. */
    private Map<String, String> send(Map<String, String> how) throws Exception {
        byte[] payload = Files.readAllBytes(Path.of(how.get("payload")));
        Smime.Entity entity = Smime.payload(payload, how.get("type"), how.get("filename"), how.get("encoding"));
        boolean signs = !how.get("sign").equals("none");
        boolean encrypts = !how.get("encrypt").equals("none");
        String digest = signs ? how.get("sign") : "sha256";
        boolean compresses = !how.get("compress").equals("none");
        String mic = Smime.mic(encrypts || compresses ? entity.whole() : payload, digest);
        if (compresses && !(signs && how.get("compress").equals("after-sign"))) {
            entity = Smime.compressed(entity);
        }
        if (signs) {
            Smime.Signed signed = Smime.signed(entity, digest, List.of(how.get("scheme").split(",")), keys);
            entity = signed.entity();
            mic = Base64.getEncoder().encodeToString(signed.digest());
            entity = how.get("compress").equals("after-sign") ? Smime.compressed(entity) : entity;
        }
        if (encrypts) {
            String encoding = how.get("encoding").equals("base64") ? "base64" : "binary";
            entity = Smime.encrypted(
                entity, how.get("encrypt"), how.get("transport"), how.get("recipients"), encoding, keys);
        }
        String id = how.get("id");
        boolean async = how.get("mode").equals("async");
        List<Header> headers = addressed(how.get("from"), how.get("to"), id);
        headers.addAll(Receipts.asking(how.get("receipt"), digest, async ? url() : ""));
        headers.addAll(entity.unfolded());
        HttpResponse<byte[]> answer = post(how.get("url"), headers, entity.body(), how.get("transfer"));
        Map<String, String> result = new LinkedHashMap<>(Map.of("status", String.valueOf(answer.statusCode())));
        if (answer.statusCode() / 100 == 2 && !how.get("receipt").equals("none")) {
            Smime.Entity receipt = async
                ? awaited(receipts, id).get(PATIENCE_S, TimeUnit.SECONDS)
                : new Smime.Entity(fields(answer.headers().map()), answer.body());
            result.putAll(Receipts.judge(receipt, mic, digest, keys));
        }
        return result;
    }

    /** One request to us: a receipt for what we sent, or a message, which is opened and answered. */
    private void take(HttpExchange exchange) throws IOException {
        Smime.Entity entity = new Smime.Entity(
            fields(exchange.getRequestHeaders()), exchange.getRequestBody().readAllBytes());
        try (exchange) {
            String original = Receipts.original(entity);
            if (original != null) {
                exchange.sendResponseHeaders(204, -1);
                awaited(receipts, original).complete(entity);
            } else {
                message(exchange, entity);
            }
        } catch (Exception error) {
            awaited(received, entity.header("Message-ID", "")).complete(Map.of("error", error.toString()));
            if (exchange.getResponseCode() == -1) {
                exchange.sendResponseHeaders(500, -1);
            }
        }
    }

    /** Opens a message and answers with its receipt; answers before it opens where the receipt is to be posted. */
    private void message(HttpExchange exchange, Smime.Entity message) throws Exception {
        String asynchronously = message.header("Receipt-Delivery-Option", "");
        if (!asynchronously.isEmpty()) {
            exchange.sendResponseHeaders(204, -1);
        }
        Smime.Opened opened = Smime.open(message, keys);
        Smime.Entity receipt = Receipts.build(message, opened, keys);
        List<Header> headers = addressed(
            message.header("AS2-To", ""), message.header("AS2-From", ""), "<" + UUID.randomUUID() + "@peer>");
        headers.addAll(receipt.unfolded());
        if (!asynchronously.isEmpty()) {
            post(asynchronously, headers, receipt.body(), "length");
        } else if (message.header("Disposition-Notification-To", "").isEmpty()) {
            exchange.sendResponseHeaders(200, -1);
        } else {
            headers.forEach(header -> exchange.getResponseHeaders().add(header.getName(), header.getValue()));
            exchange.sendResponseHeaders(200, receipt.body().length);
            exchange.getResponseBody().write(receipt.body());
        }
        awaited(received, message.header("Message-ID", "")).complete(found(opened));
    }

    private static Map<String, String> found(Smime.Opened opened) throws Exception {
        byte[] payload = opened.entity.content();
        return new LinkedHashMap<>(Map.of(
            "size", String.valueOf(payload.length),
            "sha256", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(payload)),
            "sign", opened.sign, "scheme", opened.scheme,
            "encrypt", opened.encrypt, "transport", opened.transport,
            "compress", opened.compress));
    }

    private static List<Header> addressed(String from, String to, String id) {
        return new ArrayList<>(List.of(
            new Header("AS2-Version", "1.1"), new Header("AS2-From", from), new Header("AS2-To", to),
            new Header("Message-ID", id), new Header("MIME-Version", "1.0")));
    }

    /** POST; `transfer` is length, chunked, or expect, which is with a length after a 100 Continue. */
    private HttpResponse<byte[]> post(String url, List<Header> headers, byte[] body, String transfer)
            throws IOException, InterruptedException {
        HttpRequest.BodyPublisher publisher = transfer.equals("chunked")
            ? HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))
            : HttpRequest.BodyPublishers.ofByteArray(body);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(PATIENCE_S))
            .expectContinue(transfer.equals("expect")).POST(publisher);
        headers.forEach(header -> request.header(header.getName(), header.getValue()));
        return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    private static List<Header> fields(Map<String, List<String>> headers) {
        return headers.entrySet().stream()
            .flatMap(entry -> entry.getValue().stream().map(value -> new Header(entry.getKey(), value)))
            .collect(Collectors.toList());
    }

    private static <T> CompletableFuture<T> awaited(Map<String, CompletableFuture<T>> waiting, String id) {
        return waiting.computeIfAbsent(id, key -> new CompletableFuture<>());
    }

    private static Map<String, String> decoded(String line) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (String pair : line.split("&")) {
            String[] words = pair.split("=", 2);
            pairs.put(plain(words[0]), plain(words[1]));
        }
        return pairs;
    }

    private static void tell(Map<String, String> answer) {
        System.out.println(answer.entrySet().stream()
            .map(pair -> encoded(pair.getKey()) + "=" + encoded(pair.getValue()))
            .collect(Collectors.joining("&")));
    }

    private static String plain(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
