package tradelane.peer;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import javax.activation.DataSource;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.mail.Header;
import javax.mail.MessagingException;
import javax.mail.internet.ContentType;
import javax.mail.internet.InternetHeaders;
import javax.mail.internet.MimeBodyPart;
import javax.mail.internet.MimeMultipart;
import javax.mail.internet.MimeUtility;
import javax.mail.util.ByteArrayDataSource;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1SequenceParser;
import org.bouncycastle.asn1.ASN1StreamParser;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfoParser;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSAuthEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSCompressedData;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientId;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.ZlibCompressor;
import org.bouncycastle.cms.jcajce.ZlibExpanderProvider;
import org.bouncycastle.mail.smime.SMIMECompressedGenerator;
import org.bouncycastle.mail.smime.SMIMEEnvelopedGenerator;
import org.bouncycastle.mail.smime.SMIMESignedGenerator;
import org.bouncycastle.mail.smime.SMIMESignedParser;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * The layers of an AS2 message, made and opened with javax.mail and BouncyCastle's S/MIME classes.
 *
 * <p>BouncyCastle's generators stream: what they write has BER indefinite lengths, and its signatures carry the
 * CMSAlgorithmProtection attribute (RFC 6211).
 */
final class Smime {
    private static final Map<String, ASN1ObjectIdentifier> CIPHERS = Map.of(
        "3des", CMSAlgorithm.DES_EDE3_CBC,
        "aes128-cbc", CMSAlgorithm.AES128_CBC,
        "aes192-cbc", CMSAlgorithm.AES192_CBC,
        "aes256-cbc", CMSAlgorithm.AES256_CBC,
        "aes128-gcm", CMSAlgorithm.AES128_GCM,
        "aes256-gcm", CMSAlgorithm.AES256_GCM);

    private Smime() {}

    /** A MIME entity whose bytes are settled: headers, folded as javax.mail folds them, and the body as written. */
    record Entity(List<Header> headers, byte[] body) {
        /** An entity out of its bytes as they stand. */
        static Entity of(MimeBodyPart part) throws MessagingException, IOException {
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            part.writeTo(written);
            MimeBodyPart settled = new MimeBodyPart(new ByteArrayInputStream(written.toByteArray()));
            List<Header> headers = new ArrayList<>();
            for (Enumeration<Header> all = settled.getAllHeaders(); all.hasMoreElements();) {
                headers.add(all.nextElement());
            }
            return new Entity(headers, settled.getRawInputStream().readAllBytes());
        }

        String header(String name, String otherwise) {
            return headers.stream().filter(header -> header.getName().equalsIgnoreCase(name))
                .map(header -> MimeUtility.unfold(header.getValue())).findFirst().orElse(otherwise);
        }

        /** The headers as HTTP takes them. */
        List<Header> unfolded() {
            return headers.stream()
                .map(header -> new Header(header.getName(), MimeUtility.unfold(header.getValue()))).toList();
        }

        /** As BouncyCastle takes it. */
        MimeBodyPart part() throws MessagingException {
            InternetHeaders fields = new InternetHeaders();
            headers.forEach(header -> fields.addHeader(header.getName(), header.getValue()));
            return new MimeBodyPart(fields, body);
        }

        /** Headers and body, which is what a MIC is over. */
        byte[] whole() throws MessagingException, IOException {
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            part().writeTo(written);
            return written.toByteArray();
        }

        /** The body without its Content-Transfer-Encoding; binary where none is told (RFC 4130 section 5). */
        byte[] content() throws MessagingException, IOException {
            String encoding = header("Content-Transfer-Encoding", "binary");
            return MimeUtility.decode(new ByteArrayInputStream(body), encoding).readAllBytes();
        }
    }

    /** The entity of a payload, encoded as `encoding` says: binary, 7bit, quoted-printable or base64. */
    static Entity payload(byte[] content, String type, String filename, String encoding)
            throws MessagingException, IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        try (OutputStream out = MimeUtility.encode(body, encoding)) {
            out.write(content);
        }
        return new Entity(List.of(
            new Header("Content-Type", type),
            new Header("Content-Transfer-Encoding", encoding),
            new Header("Content-Disposition", "attachment; filename=\"" + filename + "\"")), body.toByteArray());
    }

    /** A multipart/signed, and the digest of what was signed as BouncyCastle took it. */
    record Signed(Entity entity, byte[] digest) {}

    /** multipart/signed around an entity by each `schemes`: pkcs1, pss, ecdsa. */
    static Signed signed(Entity entity, String digest, List<String> schemes, Keys keys) throws Exception {
        SMIMESignedGenerator generator = new SMIMESignedGenerator("binary");
        for (String scheme : schemes) {
            Keys.Pair pair = scheme.equals("ecdsa") ? keys.curve() : keys.rsa();
            String algorithm = digest.toUpperCase()
                + Map.of("pkcs1", "WITHRSA", "pss", "WITHRSAANDMGF1", "ecdsa", "WITHECDSA").get(scheme);
            generator.addSignerInfoGenerator(new JcaSimpleSignerInfoGeneratorBuilder().setProvider("BC")
                .build(algorithm, pair.key(), pair.certificate()));
            generator.addCertificates(new JcaCertStore(List.of(pair.certificate())));
        }
        MimeMultipart multipart = generator.generate(entity.part());
        MimeBodyPart part = new MimeBodyPart();
        part.setContent(multipart);
        part.setHeader("Content-Type", multipart.getContentType());
        Entity signed = Entity.of(part);
        return new Signed(signed, (byte[]) generator.getGeneratedDigests().values().iterator().next());
    }

    static Entity compressed(Entity entity) throws Exception {
        SMIMECompressedGenerator generator = new SMIMECompressedGenerator();
        generator.setContentTransferEncoding("binary");
        return Entity.of(generator.generate(entity.part(), new ZlibCompressor()));
    }

    /**
     * The entity encrypted to the gateway. `recipients` is one, several (ourselves too, and first) or ski, by the
     * subject key identifier. `encoding` is how the result is encoded.
     */
    static Entity encrypted(
            Entity entity, String cipher, String transport, String recipients, String encoding, Keys keys)
            throws Exception {
        ASN1ObjectIdentifier algorithm = CIPHERS.get(cipher);
        List<JceKeyTransRecipientInfoGenerator> infos = new ArrayList<>();
        if (recipients.equals("several")) {
            infos.add(recipient(keys.rsa().certificate(), transport, false));
        }
        infos.add(recipient(keys.gateway().get(0), transport, recipients.equals("ski")));
        JceCMSContentEncryptorBuilder encryptor = new JceCMSContentEncryptorBuilder(algorithm).setProvider("BC");
        if (!cipher.endsWith("gcm")) {
            SMIMEEnvelopedGenerator generator = new SMIMEEnvelopedGenerator();
            generator.setContentTransferEncoding(encoding);
            infos.forEach(generator::addRecipientInfoGenerator);
            return Entity.of(generator.generate(entity.part(), encryptor.build()));
        }
        CMSAuthEnvelopedDataGenerator generator = new CMSAuthEnvelopedDataGenerator();
        infos.forEach(generator::addRecipientInfoGenerator);
        byte[] written = generator.generate(
            new CMSProcessableByteArray(entity.whole()), (OutputAEADEncryptor) encryptor.build()).getEncoded();
        return new Entity(List.of(
            new Header("Content-Type", "application/pkcs7-mime; smime-type=authEnveloped-data; name=smime.p7m"),
            new Header("Content-Transfer-Encoding", "binary")), written);
    }

    private static JceKeyTransRecipientInfoGenerator recipient(
            X509Certificate certificate, String transport, boolean ski) throws GeneralSecurityException {
        byte[] identifier = new JcaX509ExtensionUtils().createSubjectKeyIdentifier(certificate.getPublicKey())
            .getKeyIdentifier();
        if (!transport.equals("oaep")) {
            return ski
                ? new JceKeyTransRecipientInfoGenerator(identifier, certificate.getPublicKey()).setProvider("BC")
                : new JceKeyTransRecipientInfoGenerator(certificate).setProvider("BC");
        }
        AlgorithmIdentifier oaep = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            PKCSObjectIdentifiers.id_RSAES_OAEP,
            new OAEPParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT));
        return ski
            ? new JceKeyTransRecipientInfoGenerator(identifier, oaep, certificate.getPublicKey()).setProvider("BC")
            : new JceKeyTransRecipientInfoGenerator(certificate, oaep).setProvider("BC");
    }

    /** What an entity was once its layers are off, and what each of them was. */
    static final class Opened {
        Entity entity;
        String sign = "none";
        String scheme = "none";
        String encrypt = "none";
        String transport = "none";
        String compress = "none";
        private byte[] signed;

        /** The MIC: of what was signed as BouncyCastle digested it, else of the entity, and bare content alone. */
        String mic(String digest) throws Exception {
            if (signed != null) {
                return Base64.getEncoder().encodeToString(signed);
            }
            boolean bare = encrypt.equals("none") && compress.equals("none");
            return Smime.mic(bare ? entity.body() : entity.whole(), digest);
        }
    }

    /** Takes off every layer. Throws when a signature is not the gateway's or anything cannot be opened. */
    static Opened open(Entity entity, Keys keys) throws Exception {
        Opened opened = new Opened();
        opened.entity = entity;
        while (true) {
            String type = new ContentType(opened.entity.header("Content-Type", "text/plain")).getBaseType();
            if (type.equalsIgnoreCase("multipart/signed")) {
                opened.entity = verified(opened, keys);
            } else if (type.equalsIgnoreCase("application/pkcs7-mime")) {
                opened.entity = inside(opened, keys);
            } else {
                return opened;
            }
        }
    }

    private static Entity verified(Opened opened, Keys keys) throws Exception {
        DataSource source = new ByteArrayDataSource(opened.entity.body(), opened.entity.header("Content-Type", ""));
        SMIMESignedParser parser = new SMIMESignedParser(
            new JcaDigestCalculatorProviderBuilder().setProvider("BC").build(), new MimeMultipart(source), "binary");
        try {
            for (SignerInformation signer : parser.getSignerInfos()) {
                for (X509Certificate certificate : keys.gateway()) {
                    SignerInformationVerifier verifier =
                        new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate);
                    if (signer.getSID().match(new JcaX509CertificateHolder(certificate)) && signer.verify(verifier)) {
                        opened.sign = Keys.digest(signer.getDigestAlgOID());
                        opened.signed = signer.getContentDigest();
                        opened.scheme = scheme(new ASN1ObjectIdentifier(signer.getEncryptionAlgOID()));
                        return Entity.of(parser.getContent());
                    }
                }
            }
        } finally {
            parser.close();
        }
        throw new GeneralSecurityException("not signed by the gateway");
    }

    private static String scheme(ASN1ObjectIdentifier algorithm) {
        return algorithm.equals(PKCSObjectIdentifiers.id_RSASSA_PSS) ? "pss"
            : algorithm.on(X9ObjectIdentifiers.id_ecSigType) ? "ecdsa" : "pkcs1";
    }

    private static Entity inside(Opened opened, Keys keys) throws Exception {
        byte[] content = opened.entity.content();
        ASN1ObjectIdentifier type = new ContentInfoParser(
            (ASN1SequenceParser) new ASN1StreamParser(content).readObject()).getContentType();
        byte[] inner;
        if (type.equals(CMSObjectIdentifiers.compressedData)) {
            opened.compress = opened.sign.equals("none") ? "after-sign" : "before-sign";
            inner = new CMSCompressedData(content).getContent(new ZlibExpanderProvider());
        } else if (type.equals(CMSObjectIdentifiers.envelopedData)) {
            CMSEnvelopedData enveloped = new CMSEnvelopedData(content);
            inner = decrypted(opened, enveloped.getRecipientInfos(), keys);
            opened.encrypt = cipher(enveloped.getContentEncryptionAlgorithm().getAlgorithm());
        } else if (type.equals(CMSObjectIdentifiers.authEnvelopedData)) {
            // BouncyCastle does not tell the algorithm of AuthEnvelopedData, so it is read off the structure.
            CMSAuthEnvelopedData enveloped = new CMSAuthEnvelopedData(content);
            inner = decrypted(opened, enveloped.getRecipientInfos(), keys);
            opened.encrypt = cipher(org.bouncycastle.asn1.cms.AuthEnvelopedData
                .getInstance(enveloped.toASN1Structure().getContent())
                .getAuthEncryptedContentInfo().getContentEncryptionAlgorithm().getAlgorithm());
        } else {
            throw new GeneralSecurityException("application/pkcs7-mime with content of type " + type);
        }
        return Entity.of(new MimeBodyPart(new ByteArrayInputStream(inner)));
    }

    private static byte[] decrypted(Opened opened, RecipientInformationStore recipients, Keys keys)
            throws CMSException {
        RecipientInformation recipient = recipients.get(new JceKeyTransRecipientId(keys.rsa().certificate()));
        if (recipient == null) {
            throw new CMSException("encrypted to somebody else");
        }
        opened.transport = recipient.getKeyEncryptionAlgOID().equals(PKCSObjectIdentifiers.id_RSAES_OAEP.getId())
            ? "oaep" : "pkcs1";
        PrivateKey key = keys.rsa().key();
        return recipient.getContent(new JceKeyTransEnvelopedRecipient(key).setProvider("BC"));
    }

    private static String cipher(ASN1ObjectIdentifier algorithm) {
        return CIPHERS.entrySet().stream().filter(entry -> entry.getValue().equals(algorithm))
            .map(Map.Entry::getKey).findFirst().orElse(algorithm.getId());
    }

    /** Base64 of a digest, whose name may be spelled with or without a hyphen. */
    static String mic(byte[] data, String digest) throws GeneralSecurityException {
        String name = digest.trim().toUpperCase().replace("-", "").replaceFirst("^SHA", "SHA-");
        return Base64.getEncoder().encodeToString(MessageDigest.getInstance(name).digest(data));
    }
}
