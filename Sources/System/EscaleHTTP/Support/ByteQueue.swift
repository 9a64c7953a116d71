/// Bytes that are appended at the back and taken from the front.
struct ByteQueue: Sendable {
    private var storage: [UInt8] = []
    private var start = 0

    var count: Int { storage.count - start }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 64 * 1024 {
            storage.removeFirst(start)
            start = 0
        }
        storage.append(contentsOf: bytes)
    }

    /// Moves as much as there is room for; gives the number of bytes.
    mutating func move(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let moved = min(count, buffer.count)
        storage.withUnsafeBytes { source in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + moved]))
        }
        start += moved
        if isEmpty { removeAll() }
        return moved
    }

    /// All of it.
    mutating func takeAll() -> [UInt8] {
        defer { self = ByteQueue() }
        return start == 0 ? storage : Array(storage[start...])
    }

    /// Empties it; keeps room for the next bytes unless that is a lot.
    mutating func removeAll() {
        storage.removeAll(keepingCapacity: storage.capacity <= 1 << 20)
        start = 0
    }
}
