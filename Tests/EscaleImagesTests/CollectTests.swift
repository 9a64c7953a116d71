import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

private func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }

/// What a collection keeps, and what it takes.
@Suite struct CollectTests {
    private static let key = Digest(hex: String(repeating: "7", count: 64))

    @Test func whatAnImageARepositoryOrTheCacheNeedsIsKept() async throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let image = try await fixture.image("web", [fixture.layer(["image": "1"])])
        let cached = try await fixture.layer(["cached": "1"])
        let loose = try await fixture.layer(["loose": "1"])
        try store.setCacheRecord(CacheRecord(layers: [cached]), for: try #require(Self.key))
        let served = try store.addBlob([1, 2, 3])
        try store.repositories.link(served, in: "web")
        let looseBlob = try store.addBlob([4, 5, 6])
        try await store.collectGarbage()
        #expect(store.hasLayer(image.layers[0]))
        #expect(store.hasLayer(cached))
        #expect(!store.hasLayer(loose))
        #expect(store.blobSize(served) == 3)
        #expect(store.blobSize(looseBlob) == nil)
        #expect(store.blobSize(image.id) != nil)
        #expect(store.blobSize(image.manifest) != nil)
        #expect(try Files.list("\(store.root)/tmp") == [])

        let pruned = try await store.prune()
        #expect(pruned.removal.deleted == [])
        #expect(pruned.freed == ByteCount(1))
        #expect(!store.hasLayer(cached))
        #expect(store.blobSize(served) == 3)
        #expect(try fixture.reopened().list().map(\.id) == [image.id])
    }

    @Test func nothingGoesWhileALeaseIsHeld() async throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let layer = try await fixture.layer(["fresh": "1"])
        let blob = try store.addBlob([1])
        try store.setCacheRecord(CacheRecord(layers: [layer]), for: try #require(Self.key))
        do {
            let lease = store.lease()
            try await store.collectGarbage()
            #expect(try await store.prune(all: true).freed == ByteCount(0))
            #expect(store.hasLayer(layer))
            #expect(store.blobSize(blob) == 1)
            #expect(store.cacheRecord(try #require(Self.key)) != nil)
            withExtendedLifetime(lease) {}
        }
        // The blob goes a moment after the lease; the cache was asked for during it, and stays.
        for _ in 0..<500 where store.blobSize(blob) != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(store.blobSize(blob) == nil)
        #expect(store.hasLayer(layer))
    }

    @Test func pruneAllTakesWhatNoContainerWasMadeFrom() async throws {
        let fixture = try StoreFixture()
        let shared = try await fixture.layer(["shared": "1"])
        let used = try await fixture.image("used:1", [shared])
        let unused = try await fixture.image("unused:1", [shared, fixture.layer(["own": "22"])])
        try await fixture.store.tag("unused:1", as: ImageReference("unused:2"))
        let pruned = try await fixture.store.prune(all: true, inUse: [used.id])
        #expect(pruned.removal.deleted == [unused.id])
        #expect(pruned.removal.untagged.map(\.familiar) == ["unused:1", "unused:2"])
        #expect(pruned.freed == ByteCount(2))
        #expect(fixture.store.hasLayer(shared))
        #expect(try fixture.reopened().list().map(\.id) == [used.id])
        #expect { try fixture.store.image("unused:2") } throws: { code($0) == "image.not-found" }
    }

    @Test func aLoadedImageGoesWithItsArchives() async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        _ = try await from.image("web", [from.layer(["a": "1"])])
        _ = try await to.load(from.save(["web"], .oci))
        #expect(try Files.list("\(to.store.root)/blobs/sha256").count == 3)
        try await to.store.remove("web")
        #expect(try Files.list("\(to.store.root)/blobs/sha256") == [])
        try to.expectNoTrace()
    }

    @Test func usageSaysWhatIsThereAndWhatWouldGo() async throws {
        let (from, fixture) = (try StoreFixture(), try StoreFixture())
        let shared = try await fixture.layer(["shared": "1234"])
        let used = try await fixture.image("used", [shared])
        _ = try await fixture.image("unused", [shared, fixture.layer(["own": "56"])])
        let cached = try await fixture.layer(["cached": "789"])
        try fixture.store.setCacheRecord(CacheRecord(layers: [shared, cached]), for: try #require(Self.key))
        let usage = try await fixture.store.usage(inUse: [used.id])
        #expect(usage.images == (total: 2, active: 1, size: 6, reclaimable: 2))
        #expect(usage.cache == (records: 1, size: 3))
        #expect(usage.registry == (manifests: 0, size: 0))
        #expect(try await fixture.store.prune(all: true, inUse: [used.id]).freed == ByteCount(5))
        // The archive that a layer came as counts too.
        let image = try await from.image("loaded", [from.layer(["a": "1"])])
        _ = try await fixture.load(from.save(["loaded"], .docker))
        let size = try from.store.archiveSize(of: image.layers[0])
        #expect(try await fixture.store.usage(inUse: []).images.size == 4 + 1 + size)
    }

    // MARK: Transfers

    @Test func beginningsOfTransfersOutliveTheProcessForAWeek() async throws {
        let fixture = try StoreFixture()
        for name in ["downloads", "uploads"] {
            for (file, days) in [("new", 0), ("days", 6), ("old", 8)] {
                let path = fixture.scratch("store/\(name)/\(file)")
                try fixture.scratch.file("store/\(name)/\(file)", "beginning")
                var times = [timeval(), timeval()]
                for index in times.indices { times[index].tv_sec = time(nil) - days * 86400 }
                #expect(utimes(path, times) == 0)
            }
        }
        let store = try fixture.reopened()
        for name in ["downloads", "uploads"] {
            #expect(try Files.list(fixture.scratch("store/\(name)")) == ["days", "new"])
        }
        #expect(store.hasUpload("new"))
        #expect(!store.hasUpload("old"))
        let writer = try store.upload("new")
        #expect(writer.count == 9)
        try writer.write(Array(" and end".utf8))
        let digest = try writer.commit()
        #expect(try store.blob(digest) == Array("beginning and end".utf8))
        #expect(!store.hasUpload("new"))
    }

    @Test func aBlobIsSeenOnceItIsWhole() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let text = Array("a blob".utf8)
        let expected = try store.addBlob(text)
        try Files.remove("\(store.root)/blobs/sha256/\(expected.hex)")
        do {
            let writer = try store.newBlob()
            try writer.write(text)
            #expect(store.blobSize(expected) == nil)
            #expect(try writer.commit(expected, sync: true) == expected)
            #expect(store.blobSize(expected) == 6)
            #expect(throws: EscaleError.self) { try writer.commit() }
        }
        #expect(store.blobSize(expected) == 6)
        do {
            let writer = try store.newBlob()
            try writer.write(text)
            try writer.restart()
            #expect(writer.count == 0)
            try writer.write([1])
            #expect { try writer.commit(expected) } throws: { code($0) == "image.digest" }
        }
        do {
            let dropped = try store.download(expected)
            try dropped.write(text)
        }
        #expect(try Files.list("\(store.root)/downloads") == [])
        #expect(try Files.list("\(store.root)/tmp") == [])
        do {
            let kept = try store.download(expected)
            try kept.write(Array(text.prefix(3)))
            kept.keep()
        }
        let again = try store.download(expected)
        #expect(again.count == 3)
        try again.write(Array(text.dropFirst(3)))
        #expect(try again.commit(expected) == expected)
        #expect(try Files.list("\(store.root)/downloads") == [])
    }
}
