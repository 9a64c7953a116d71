import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

private func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }

/// A store with an image that was made here (`own`), one that came in an archive (`loaded`), one that nothing happens to
/// (`other`), and a repository `shop/web` that serves `loaded`.
private struct Damaged {
    let fixture: StoreFixture
    let own: StoredImage
    let loaded: StoredImage

    var store: ImageStore { fixture.store }

    init() async throws {
        fixture = try StoreFixture()
        own = try await fixture.image("own", [fixture.layer(["own/file": "own text"])])
        _ = try await fixture.image("other", [fixture.layer(["other/file": "other text"])])
        let elsewhere = try StoreFixture()
        _ = try await elsewhere.image("loaded", [elsewhere.layer(["loaded/file": "loaded text"])])
        loaded = try #require(
            try await fixture.store.load(
                elsewhere.save(["loaded"], .oci), platform: ImagePlatform("linux/amd64")
            ).first)
        let manifest = try decodeJSON(ImageManifest.self, from: store.blob(loaded.manifest))
        let parts = [manifest.config] + manifest.layers
        for part in parts { try store.repositories.link(part.digest, in: "shop/web") }
        try store.repositories.put(
            .init(
                descriptor: Descriptor(
                    mediaType: MediaType.manifest, digest: loaded.manifest, size: Int64(store.blob(loaded.manifest).count)),
                pushed: .now, subject: nil, artifactType: nil, parts: parts, isIndex: false),
            tag: "1", in: "shop/web")
    }

    func blob(_ digest: Digest) -> String { "\(store.root)/blobs/sha256/\(digest.hex)" }
    func directory(_ layer: Digest) -> String { "\(store.layersDirectory)/\(ImageStore.layerName(layer))" }

    /// Changes one byte in the middle.
    func flip(_ path: String) throws {
        var bytes = try Files.read(path)
        bytes[bytes.count / 2] ^= 1
        try Files.write(path, bytes)
    }
}

@Suite struct CheckTests {
    @Test func aWholeStoreHasNoProblems() async throws {
        let damaged = try await Damaged()
        #expect(try await damaged.store.examine(repairing: true).problems == [])
        #expect(damaged.store.list().count == 3)
    }

    /// What is done to a store, and what is found then.
    struct Damage: CustomTestStringConvertible, Sendable {
        let testDescription: String
        fileprivate let make: @Sendable (Damaged) throws -> Void
        /// Words of the problems that must be found, in any order.
        fileprivate let problems: @Sendable (Damaged) -> [String]
        /// Names of the images that are there after the repair.
        let left: Set<String>
        /// Whether the registry still serves `shop/web:1`.
        var serves = true
    }

    static let damages: [Damage] = [
        Damage(
            testDescription: "a byte of a configuration", make: { try $0.flip($0.blob($0.own.id)) },
            problems: { ["blob \($0.own.id.hex) is damaged", "image own:latest has lost its configuration"] },
            left: ["other", "loaded"]),
        Damage(
            testDescription: "a byte of a manifest", make: { try $0.flip($0.blob($0.own.manifest)) },
            problems: { ["blob \($0.own.manifest.hex) is damaged", "image own:latest has lost its manifest"] },
            left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "a byte of a file of a layer that was made here",
            make: { try $0.flip($0.directory($0.own.layers[0]) + "/own/file") },
            problems: { ["the files of layer \($0.own.layers[0].short) have changed", "image own:latest has lost a layer"] },
            left: ["other", "loaded"]),
        Damage(
            testDescription: "a byte of a file of a layer whose archive is here",
            make: { try $0.flip($0.directory($0.loaded.layers[0]) + "/loaded/file") },
            problems: { ["the files of layer \($0.loaded.layers[0].short) have changed"] },
            left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "a file more in a layer",
            make: { try Files.write($0.directory($0.loaded.layers[0]) + "/more", [1]) },
            problems: { ["the files of layer \($0.loaded.layers[0].short) have changed"] },
            left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "other permissions in a layer",
            make: { #expect(chmod($0.directory($0.loaded.layers[0]) + "/loaded/file", 0o4755) == 0) },
            problems: { ["the files of layer \($0.loaded.layers[0].short) have changed"] },
            left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "the directory of a layer that was made here",
            make: { try Files.remove($0.directory($0.own.layers[0])) },
            problems: { ["the files of layer \($0.own.layers[0].short) have changed", "image own:latest has lost a layer"] },
            left: ["other", "loaded"]),
        Damage(
            testDescription: "the directory of a layer whose archive is here",
            make: { try Files.remove($0.directory($0.loaded.layers[0])) },
            problems: { ["the files of layer \($0.loaded.layers[0].short) have changed"] },
            left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "a configuration that is gone", make: { try Files.remove($0.blob($0.own.id)) },
            problems: { _ in ["image own:latest has lost its configuration"] }, left: ["other", "loaded"]),
        Damage(
            testDescription: "a manifest that is gone", make: { try Files.remove($0.blob($0.own.manifest)) },
            problems: { _ in ["image own:latest has lost its manifest"] }, left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "an archive that was cut",
            make: { try Files.write($0.blob($0.loaded.layers[0]), Files.read($0.blob($0.loaded.layers[0])).prefix(700)) },
            problems: { damaged in
                let layer = damaged.loaded.layers[0]
                return [
                    "blob \(layer.hex) is damaged", "layer \(layer.short) has lost its archive \(layer.short)",
                    "image loaded:latest has lost a layer", "shop/web@\(damaged.loaded.manifest.short) in the registry has lost a part",
                ]
            }, left: ["own", "other"], serves: false),
        Damage(
            testDescription: "a manifest that the registry serves",
            make: { try $0.flip($0.blob($0.loaded.manifest)) },
            problems: {
                [
                    "blob \($0.loaded.manifest.hex) is damaged", "image loaded:latest has lost its manifest",
                    "shop/web@\($0.loaded.manifest.short) in the registry has lost a part",
                ]
            }, left: ["own", "other", "loaded"], serves: false),
        Damage(
            testDescription: "a tag that leads to nothing",
            make: {
                try Files.write(
                    "\($0.store.root)/repositories/shop+web/tags/2", Array("sha256:\(String(repeating: "0", count: 64))".utf8))
            }, problems: { _ in ["shop/web:2 in the registry leads to nothing"] }, left: ["own", "other", "loaded"]),
        Damage(
            testDescription: "a record of the registry's that was cut",
            make: {
                let path = "\($0.store.root)/repositories/shop+web/manifests/\($0.loaded.manifest.hex)"
                try Files.write(path, Files.read(path).prefix(20))
            },
            problems: {
                [
                    "the registry's record of shop/web@\($0.loaded.manifest.short) can't be read",
                    "shop/web:1 in the registry leads to nothing",
                ]
            }, left: ["own", "other", "loaded"], serves: false),
        Damage(
            testDescription: "a tag that is none",
            make: { try Files.write("\($0.store.root)/repositories/shop+web/tags/2", []) },
            problems: { _ in ["shop/web:2 in the registry leads to nothing"] }, left: ["own", "other", "loaded"]),
    ]

    @Test(arguments: damages)
    func damageIsFoundRepairedAndGone(damage: Damage) async throws {
        let damaged = try await Damaged()
        try damage.make(damaged)
        let seen = try await damaged.store.examine(repairing: false)
        #expect(Set(seen.problems) == Set(damage.problems(damaged)))
        #expect(seen.repaired == [])
        // Looking changes nothing.
        #expect(try await damaged.store.examine(repairing: false) == seen)

        let repaired = try await damaged.store.examine(repairing: true)
        #expect(repaired.problems == seen.problems)
        #expect(!repaired.repaired.isEmpty)
        let again = try await damaged.store.examine(repairing: true)
        #expect(again.problems == [])
        #expect(again.repaired == [])

        for store in [damaged.store, try damaged.fixture.reopened()] {
            #expect(store.problems == [])
            #expect(Set(store.list().flatMap(\.references).map(\.familiarName)) == damage.left)
            for image in store.list() {
                let name = image.references[0].familiarName
                #expect(try store.readFile("\(name)/file", in: image.layers) == "\(name) text")
            }
            #expect(store.repositories.digest(of: "1", in: "shop/web") == (damage.serves ? damaged.loaded.manifest : nil))
            #expect(store.repositories.digest(of: "2", in: "shop/web") == nil)
        }
        // Everything that is left can be saved, and everything that was lost can come again.
        let archive = try await damaged.fixture.save(Array(damage.left).sorted(), .oci)
        #expect(try await StoreFixture().load(archive).count == damage.left.count)
        let fresh = try await Damaged()
        let whole = try await fresh.fixture.save(["own", "other", "loaded"], .docker)
        #expect(try await damaged.fixture.load(whole).count == 3)
        #expect(try await damaged.store.examine(repairing: false).problems == [])
        #expect(try Files.list("\(damaged.store.root)/tmp") == [])
    }

    @Test func anEntryOfTheIndexThatLeadsToNothingIsForgotten() async throws {
        let damaged = try await Damaged()
        let path = "\(damaged.store.root)/index.json"
        let text = try Files.readText(path)
        for id in ["sha256:" + String(repeating: "0", count: 64), "nonsense"] {
            try Files.write(path, Array(text.replacing("\(damaged.own.id)", with: id, maxReplacements: 1).utf8))
            let store = try damaged.fixture.reopened()
            #expect(store.problems.count == 1)
            let found = try await store.examine(repairing: true)
            #expect(found.problems.contains("image \(id) is in the index and can't be used"))
            #expect(!found.repaired.isEmpty)
            #expect(try await store.examine(repairing: true).problems == [])
            let after = try damaged.fixture.reopened()
            #expect(after.problems == [])
            #expect(after.list().count == 2)
            #expect { try after.image("own") } throws: { code($0) == "image.not-found" }
        }
    }

    @Test func aLayerThatWasLostBeforeTheStoreWasOpened() async throws {
        let damaged = try await Damaged()
        try Files.remove(damaged.directory(damaged.own.layers[0]))
        let store = try damaged.fixture.reopened()
        #expect(store.problems.count == 1)
        let found = try await store.examine(repairing: true)
        #expect(found.problems == ["image \(damaged.own.id) is in the index and can't be used"])
        #expect(try damaged.fixture.reopened().problems == [])
    }

    // MARK: A full disk

    @Test func aFullDiskLeavesAWholeStore() async throws {
        let source = try StoreFixture()
        var random = Seeded(3)
        let text = (0..<40_000).map { _ in hexadecimal(random.next()) }.joined()
        _ = try await source.image(
            "big", [source.layer(["text": text]), source.layer(["more": String(text.reversed())])])
        _ = try await source.image("small", [source.layer(["file": "small"])])
        let big = try await source.save(["big"], .docker, as: "big.tar")
        let small = try await source.save(["small"], .docker, as: "small.tar")
        try await source.run("gzip", "-k", "-1", "big.tar")
        let target = try source.scratch.directory("disk")
        var failures = 0
        // From too small for anything to large enough.
        for kilobytes in stride(from: 512, through: 16384, by: 448) {
            try await source.run("mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", target)
            var isEnough = false
            do {
                isEnough = try await fill(target, big: [big, source.scratch("big.tar.gz")], small: small) {
                    // A check unpacks layers: from here on there is room for that.
                    try await source.run("mount", "-o", "remount,size=64m", target)
                }
            } catch {
                Issue.record("\(kilobytes) KiB: \(error)")
            }
            try await source.run("umount", target)
            if isEnough { break }
            failures += 1
        }
        #expect((3...30).contains(failures))
    }

    /// Whether all of it fits.
    private func fill(
        _ target: String,
        big: [String],
        small: String,
        makeRoom: () async throws -> Void
    ) async throws -> Bool {
        let store = try ImageStore(root: "\(target)/store")
        let platform = try ImagePlatform("linux/amd64")
        _ = try await store.load(small, platform: platform)
        var isEnough = true
        for archive in big {
            do {
                _ = try await store.load(archive, platform: platform)
            } catch let error as EscaleError {
                isEnough = false
                #expect(
                    error.message.contains("No space left") || error.code.rawValue == "archive.too-large", "\(error)")
            }
            #expect(try Files.list("\(store.root)/tmp") == [])
        }
        try await makeRoom()
        #expect(try await store.examine(repairing: false).problems == [])
        let names = Set(try ImageStore(root: store.root).list().flatMap(\.references).map(\.familiarName))
        #expect(names == (isEnough ? ["big", "small"] : names.intersection(["big", "small"])))
        #expect(names.contains("small"))
        // What is removed makes room again.
        _ = try await store.prune(all: true)
        #expect(try Files.list("\(store.root)/blobs/sha256") == [])
        #expect(try await store.load(small, platform: platform).count == 1)
        return isEnough
    }
}
