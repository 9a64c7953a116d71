import EscaleCore
import EscaleEngine
import EscaleSystem
import Glibc
import Testing

/// Named volumes, and filling them from an image. As root.
@Suite struct VolumeStoreTests {
    /// A store under a directory of its own, and layers beside it.
    private final class Place: Sendable {
        let path = "/tmp/escale-volumes-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        let store: VolumeStore

        init() throws {
            try Files.createDirectories("\(path)/layers")
            store = VolumeStore(
                EngineDirectories(state: "\(path)/state", runtime: "\(path)/run", layers: "\(path)/layers", instance: "t"))
        }

        // Best effort: the directory is under /tmp.
        deinit { try? Files.remove(path) }

        func file(_ layer: String, _ name: String, _ text: String, mode: UInt32 = 0o644, owner: UInt32 = 0) throws {
            let file = "\(path)/layers/\(layer)/\(name)"
            try Files.createDirectories(file.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" })
            try Files.write(file, text.utf8)
            try check("change \(file)") { chown(file, owner, owner) }
            try check("change \(file)") { chmod(file, mode) }
        }
    }

    private let data = VolumeName(rawValue: "shop_data")

    @Test func volumesAreMadeListedAndRemoved() async throws {
        let place = try Place()
        #expect(try place.store.list() == [])
        try await place.store.create(data)
        try await place.store.create(VolumeName(rawValue: "a"))
        #expect(try place.store.list().map(\.rawValue) == ["a", "shop_data"])
        try Files.write("\(place.store.path(data))/file", "kept".utf8)
        try await place.store.create(data)
        #expect(try Files.readText("\(place.store.path(data))/file") == "kept")
        try await place.store.remove(data)
        try await place.store.remove(data)
        #expect(try place.store.list().map(\.rawValue) == ["a"])
    }

    @Test func anEmptyVolumeGetsWhatTheImageHas() async throws {
        let place = try Place()
        try place.file("base", "srv/data/old", "base", mode: 0o600, owner: 33)
        try place.file("base", "srv/data/both", "base")
        try place.file("top", "srv/data/both", "top")
        try place.file("top", "srv/data/sub/deep", "deep")
        try place.file("top", "srv/other", "no")
        try await place.store.create(data)
        try await place.store.seed(data, from: ["top", "base"], at: "/srv/data")
        let path = place.store.path(data)
        #expect(try Files.list(path) == ["both", "old", "sub"])
        #expect(try Files.readText("\(path)/both") == "top")
        #expect(try Files.readText("\(path)/sub/deep") == "deep")
        var info = stat()
        #expect(stat("\(path)/old", &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        #expect(info.st_uid == 33)
    }

    @Test func aVolumeWithSomethingInItStaysAsItIs() async throws {
        let place = try Place()
        try place.file("base", "data/new", "new")
        try await place.store.create(data)
        try Files.write("\(place.store.path(data))/mine", [])
        try await place.store.seed(data, from: ["base"], at: "/data")
        #expect(try Files.list(place.store.path(data)) == ["mine"])
    }

    @Test func whatTheImageDoesNotHaveLeavesItEmpty() async throws {
        let place = try Place()
        try place.file("base", "etc/passwd", "root")
        try await place.store.create(data)
        try await place.store.seed(data, from: ["base"], at: "/nowhere")
        #expect(try Files.list(place.store.path(data)) == [])
    }

    @Test func linksOfTheImageDoNotLeadToTheHost() async throws {
        let place = try Place()
        try place.file("base", "etc/only-in-image", "image")
        try check("link") { symlink("/etc", "\(place.path)/layers/base/link") }
        try check("link") { symlink("../../../../../../etc", "\(place.path)/layers/base/dots") }
        for (name, link) in [("one", "/link"), ("two", "/dots")] {
            let volume = VolumeName(rawValue: name)
            try await place.store.create(volume)
            try await place.store.seed(volume, from: ["base"], at: link)
            #expect(try Files.list(place.store.path(volume)) == ["only-in-image"])
        }
    }

    @Test func nothingIsLeftMounted() async throws {
        let place = try Place()
        try place.file("a", "data/x", "x")
        try place.file("b", "data/y", "y")
        try await place.store.create(data)
        try await place.store.seed(data, from: ["a", "b"], at: "/data")
        #expect(try !Files.readText("/proc/self/mountinfo").contains(place.path))
    }
}
