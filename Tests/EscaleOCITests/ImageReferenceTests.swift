import EscaleCore
import EscaleOCI
import Testing

@Suite struct ImageReferenceTests {
    @Test(arguments: [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim", "debian:bookworm-slim"),
        ("shop/web", "docker.io/shop/web:latest", "shop/web:latest"),
        ("docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/shop/web", "docker.io/shop/web:latest", "shop/web:latest"),
        ("localhost/web", "localhost/web:latest", "localhost/web:latest"),
        ("localhost:5000/a/b/c:v1.2_x", "localhost:5000/a/b/c:v1.2_x", "localhost:5000/a/b/c:v1.2_x"),
        (
            "reg.example.org/a__b/c-d.e", "reg.example.org/a__b/c-d.e:latest",
            "reg.example.org/a__b/c-d.e:latest"
        ),
    ])
    func normalises(text: String, canonical: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.canonical == canonical)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(reference.canonical) == reference)
        #expect(try ImageReference(reference.familiar) == reference)
    }

    @Test func aDigestNeedsNoTag() throws {
        let digest = "sha256:" + String(repeating: "a1", count: 32)
        let reference = try ImageReference("shop/web@\(digest)")
        #expect(reference.tag == nil)
        #expect(reference.digest?.description == digest)
        #expect(reference.familiar == "shop/web@\(digest)")
        #expect(try ImageReference("shop/web:1@\(digest)").tag == "1")
    }

    @Test(arguments: [
        "", ":tag", "shop/Web", "shop//web", "/web", "web/", "web:", "web:a b", "web:-a", "web@sha256:12",
        "a b",
        "shop/-web", "shop/web-", "shop/a___b", "shop/a..b", "web:\(String(repeating: "x", count: 129))",
    ])
    func refuses(text: String) {
        #expect { try ImageReference(text) } throws: {
            ($0 as? EscaleError)?.code.rawValue == "image.reference"
        }
    }
}

@Suite struct UserLookupTests {
    private let passwd = """
        root:x:0:0:root:/root:/bin/bash
        # a comment
        www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
        app:x:1000:1001::/home/app:/bin/sh
        42:x:7:7::/seven:/bin/sh
        broken
        """
    private let group = """
        root:x:0:
        adm:x:4:app,www-data
        www-data:x:33:
        app:x:1001:app
        """

    @Test(arguments: [
        ("", ResolvedUser(uid: 0, gid: 0, home: "/root")),
        ("0", ResolvedUser(uid: 0, gid: 0, home: "/root")),
        ("www-data", ResolvedUser(uid: 33, gid: 33, additionalGroups: [4], home: "/var/www")),
        ("app", ResolvedUser(uid: 1000, gid: 1001, additionalGroups: [4, 1001], home: "/home/app")),
        ("1000", ResolvedUser(uid: 1000, gid: 1001, additionalGroups: [4, 1001], home: "/home/app")),
        ("app:adm", ResolvedUser(uid: 1000, gid: 4, home: "/home/app")),
        ("app:77", ResolvedUser(uid: 1000, gid: 77, home: "/home/app")),
        ("5555", ResolvedUser(uid: 5555, gid: 0)),
        ("5555:6666", ResolvedUser(uid: 5555, gid: 6666)),
        ("42", ResolvedUser(uid: 7, gid: 7, home: "/seven")),
    ])
    func finds(text: String, user: ResolvedUser) throws {
        #expect(try resolveUser(text, passwd: passwd, group: group) == user)
    }

    @Test(arguments: ["nobody-here", "app:no-group", "-1", "4294967296"])
    func refuses(text: String) {
        #expect { try resolveUser(text, passwd: passwd, group: group) } throws: {
            ($0 as? EscaleError)?.code.rawValue == "image.user"
        }
    }

    @Test func aNumberNeedsNoFiles() throws {
        #expect(try resolveUser("12:34", passwd: "", group: "") == ResolvedUser(uid: 12, gid: 34))
    }
}
