import EscaleCrypto
import Testing

@Suite struct PasswordHashTests {
    /// All of `secret`, made by htpasswd and by Python's crypt.
    private static let hashes = [
        "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
    ]

    @Test(arguments: hashes)
    func onlyTheRightPasswordIsRight(hash: String) {
        let hash = PasswordHash(hash)
        #expect(hash.verify("secret") == .right)
        for wrong in ["", "Secret", "secret ", " secret", "secre", "secrets"] { #expect(hash.verify(wrong) == .wrong, "\(wrong)") }
    }

    @Test func aChangedHashIsOfAnotherPassword() {
        for hash in Self.hashes { #expect(PasswordHash(String(hash.dropLast()) + "x").verify("secret") == .wrong) }
    }

    @Test(arguments: ["", "secret", "*", "!", "$apr1$abc$def", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "$2y$", "$9$x$y", ":"])
    func whatIsNoHashLetsNobodyIn(hash: String) {
        for password in ["", "secret", hash] { #expect(PasswordHash(hash).verify(password) != .right, "\(password)") }
    }

    @Test(arguments: ["", "*", "$apr1$abc$def", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "$9$x$y"])
    func anUnknownKindIsSaidToBeOne(hash: String) {
        #expect(PasswordHash(hash).verify("secret") == .unknownKind)
    }
}
