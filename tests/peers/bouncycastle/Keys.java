package tradelane.peer;

import java.io.FileReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/** Our key pairs and the gateway's certificates, out of PEM files in one folder. */
record Keys(Pair rsa, Pair curve, List<X509Certificate> gateway) {
    private static final Map<String, String> DIGESTS = Map.of(
        "1.3.14.3.2.26", "sha1",
        "2.16.840.1.101.3.4.2.1", "sha256",
        "2.16.840.1.101.3.4.2.2", "sha384",
        "2.16.840.1.101.3.4.2.3", "sha512");

    /** A private key and its certificate. */
    record Pair(PrivateKey key, X509Certificate certificate) {}

    static Keys in(Path folder) throws IOException, GeneralSecurityException {
        return new Keys(
            new Pair(key(folder.resolve("peer.key")), certificate(folder.resolve("peer.crt"))),
            new Pair(key(folder.resolve("peer-ec.key")), certificate(folder.resolve("peer-ec.crt"))),
            List.of(certificate(folder.resolve("gateway.crt")), certificate(folder.resolve("gateway-ec.crt"))));
    }

    /** Our name of a digest algorithm. */
    static String digest(String oid) {
        return DIGESTS.getOrDefault(oid, oid);
    }

    private static PrivateKey key(Path file) throws IOException {
        try (PEMParser parser = new PEMParser(new FileReader(file.toFile()))) {
            return new JcaPEMKeyConverter().setProvider("BC").getPrivateKey((PrivateKeyInfo) parser.readObject());
        }
    }

    private static X509Certificate certificate(Path file) throws IOException, GeneralSecurityException {
        try (InputStream in = Files.newInputStream(file)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }
}
