package tradelane.peer;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.mail.Header;
import javax.mail.internet.ContentType;
import javax.mail.internet.InternetHeaders;
import javax.mail.internet.MimeBodyPart;
import javax.mail.internet.MimeMultipart;
import javax.mail.internet.MimeUtility;
import javax.mail.util.ByteArrayDataSource;

/** Receipts (RFC 4130 section 7): the one we answer with, and what one that we get says. */
final class Receipts {
    private static final String SENT = "automatic-action/MDN-sent-automatically;";

    private Receipts() {}

    /**
     * The receipt for a message, whose fields are folded as javax.mail folds, and more: in front of the disposition's
     * type, and in front of the digest's name. It is signed, where that was asked for, as the message was.
     */
    static Smime.Entity build(Smime.Entity message, Smime.Opened opened, Keys keys) throws Exception {
        String options = message.header("Disposition-Notification-Options", "");
        String asked = micalg(options);
        String digest = !opened.sign.equals("none") ? opened.sign : asked != null ? asked : "sha256";
        String recipient = "rfc822; " + message.header("AS2-To", "");
        InternetHeaders fields = new InternetHeaders();
        fields.addHeader("Reporting-UA", "BouncyCastle and javax.mail");
        fields.addHeader("Original-Recipient", recipient);
        fields.addHeader("Final-Recipient", recipient);
        fields.addHeader("Original-Message-ID", "\r\n\t" + message.header("Message-ID", ""));
        fields.addHeader("Disposition", SENT + "\r\n\t processed");
        fields.addHeader("Received-Content-MIC", opened.mic(digest) + ",\r\n " + spelled(digest, options));
        MimeMultipart multipart = new MimeMultipart("report; report-type=disposition-notification");
        multipart.addBodyPart(part("text/plain; charset=us-ascii", "The message was received and opened.\r\n"));
        multipart.addBodyPart(part("message/disposition-notification", written(fields)));
        MimeBodyPart report = new MimeBodyPart();
        report.setContent(multipart);
        report.setHeader("Content-Type", multipart.getContentType());
        Smime.Entity entity = Smime.Entity.of(report);
        String scheme = opened.scheme.equals("none") ? "pkcs1" : opened.scheme;
        return asked == null ? entity : Smime.signed(entity, asked, List.of(scheme), keys).entity();
    }

    private static String written(InternetHeaders fields) {
        StringBuilder text = new StringBuilder();
        for (var lines = fields.getAllHeaderLines(); lines.hasMoreElements();) {
            text.append(lines.nextElement()).append("\r\n");
        }
        return text.append("\r\n").toString();
    }

    private static MimeBodyPart part(String type, String text) throws Exception {
        InternetHeaders headers = new InternetHeaders();
        headers.addHeader("Content-Type", type);
        headers.addHeader("Content-Transfer-Encoding", "7bit");
        return new MimeBodyPart(headers, text.getBytes(StandardCharsets.US_ASCII));
    }

    /** The first digest asked for by Disposition-Notification-Options in our spelling; null for an unsigned receipt. */
    private static String micalg(String options) {
        List<String> names = micalgs(options);
        return names.isEmpty() ? null : names.get(0).toLowerCase().replace("-", "");
    }

    private static String spelled(String digest, String options) {
        return micalgs(options).stream().filter(name -> name.toLowerCase().replace("-", "").equals(digest))
            .findFirst().orElse(digest);
    }

    private static List<String> micalgs(String options) {
        List<String> names = new ArrayList<>();
        for (String option : options.split(";")) {
            String[] pair = option.split("=", 2);
            if (pair.length == 2 && pair[0].trim().equalsIgnoreCase("signed-receipt-micalg")) {
                String[] words = pair[1].split(",");
                for (int at = 1; at < words.length; at++) {
                    names.add(words[at].trim());
                }
            }
        }
        return names;
    }

    /** The Message-ID that an answer says it is a receipt for; null when it is no receipt. Nothing is verified. */
    static String original(Smime.Entity answer) throws Exception {
        MimeBodyPart report = answer.part();
        if (report.isMimeType("multipart/signed")) {
            report = (MimeBodyPart) multipart(answer).getBodyPart(0);
        }
        if (!report.isMimeType("multipart/report")) {
            return null;
        }
        return MimeUtility.unfold(fields(Smime.Entity.of(report)).getHeader("Original-Message-ID", null)).trim();
    }

    /** What a receipt for a message says; throws when it is signed and not by the gateway. */
    static Map<String, String> judge(Smime.Entity answer, String expected, String digest, Keys keys) throws Exception {
        Smime.Opened opened = Smime.open(answer, keys);
        InternetHeaders fields = fields(opened.entity);
        Map<String, String> said = new LinkedHashMap<>();
        said.put("receipt", opened.sign);
        said.put("disposition", MimeUtility.unfold(fields.getHeader("Disposition", null)));
        String mic = fields.getHeader("Received-Content-MIC", null);
        if (mic == null) {
            said.put("mic", "absent");
            return said;
        }
        String[] words = MimeUtility.unfold(mic).split(",");
        boolean equal = words[1].trim().toLowerCase().replace("-", "").equals(digest)
            && words[0].trim().equals(expected);
        said.put("mic", equal ? "equal" : "different");
        return said;
    }

    private static MimeMultipart multipart(Smime.Entity entity) throws Exception {
        return new MimeMultipart(new ByteArrayDataSource(entity.body(), entity.header("Content-Type", "")));
    }

    private static InternetHeaders fields(Smime.Entity report) throws Exception {
        MimeMultipart multipart = multipart(report);
        for (int at = 0; at < multipart.getCount(); at++) {
            MimeBodyPart part = (MimeBodyPart) multipart.getBodyPart(at);
            if (new ContentType(part.getContentType()).match("message/disposition-notification")) {
                return new InternetHeaders(new ByteArrayInputStream(part.getInputStream().readAllBytes()));
            }
        }
        throw new IllegalArgumentException("a report without a notification");
    }

    /** The headers that ask for a receipt: unsigned or signed, at once or posted to a URL. */
    static List<Header> asking(String receipt, String digest, String url) {
        List<Header> headers = new ArrayList<>();
        if (receipt.equals("none")) {
            return headers;
        }
        headers.add(new Header("Disposition-Notification-To", "edi@peer.example"));
        if (receipt.equals("signed")) {
            headers.add(new Header("Disposition-Notification-Options",
                "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, " + digest));
        }
        if (!url.isEmpty()) {
            headers.add(new Header("Receipt-Delivery-Option", url));
        }
        return headers;
    }
}
