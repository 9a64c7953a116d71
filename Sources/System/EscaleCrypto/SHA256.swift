import CCrypto
package import EscaleCore

/// SHA-256 over bytes that arrive piece by piece.
///
/// Owns OpenSSL's context. Never throws: the algorithm is always there, and a process that can't allocate a
/// context of some hundred bytes can't go on.
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("OpenSSL offers no SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        guard EVP_DigestUpdate(context, start, bytes.count) == 1 else {
            preconditionFailure("SHA-256 refused \(bytes.count) bytes")
        }
    }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Takes in the next bytes.
    package mutating func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of everything that was taken in; ends the hasher.
    package consuming func finish() -> Digest {
        let hash = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            guard EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1 else {
                preconditionFailure("SHA-256 could not be finished")
            }
            count = 32
        }
        return Digest(bytes: hash)
    }
}

extension SHA256 {
    package static func digest(of bytes: [UInt8]) -> Digest {
        var hasher = SHA256()
        hasher.update(bytes)
        return hasher.finish()
    }

    /// The digest of the text's UTF-8 bytes.
    package static func digest(ofText text: String) -> Digest {
        digest(of: Array(text.utf8))
    }
}
