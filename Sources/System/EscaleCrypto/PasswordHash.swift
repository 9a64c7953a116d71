import CCrypt

/// A password's hash as crypt(5) writes it: bcrypt (`$2y$`), yescrypt, SHA-512 and their like.
package struct PasswordHash: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package enum Answer: Sendable {
        case right, wrong
        /// A kind of hash that isn't known here, such as Apache's own MD5 (`$apr1$`).
        case unknownKind
    }

    /// Takes as long as the hash is meant to take: a tenth of a second is usual. Blocks.
    package func verify(_ password: String) -> Answer {
        switch c_crypt_verify(password, text) {
        case 1: .right
        case 0: .wrong
        default: .unknownKind
        }
    }
}
