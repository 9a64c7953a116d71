import EscaleHTTP
import Testing

@Suite struct HTTPURLTests {
    @Test(arguments: [
        ("http://a.example", "http://a.example:80/"), ("https://a.example", "https://a.example:443/"),
        ("HTTPS://a.example:5000/v2/?n=1", "https://a.example:5000/v2/?n=1"), ("http://a?x=1", "http://a:80/?x=1"),
        ("http://[::1]:5000/x", "http://[::1]:5000/x"), ("http://[2001:db8::1]", "http://[2001:db8::1]:80/"),
        ("https://user:pass@a.example/x#part", "https://a.example:443/x"), ("http://a/b%2Fc", "http://a:80/b%2Fc"),
        ("http://a@b@c/x", "http://c:80/x"), ("http://a/x?to=http://b/", "http://a:80/x?to=http://b/"),
    ])
    func whatAURLSays(text: String, said: String) {
        #expect(HTTPURL(text)?.description == said)
    }

    @Test(arguments: [
        "", "a.example", "/path", "//a.example/", "ftp://a.example", "file:///etc/passwd", "http:", "http://", "http:///x",
        "http://:80/", "http://a:0/", "http://a:70000/", "http://a:x/", "http://a:/", "http://a:-1/", "http://a b/", "http://a/x y",
        "http://a/\n", "http://a/\u{e9}", "http://[::1/", "http://[::1]x/", "http://@/",
    ])
    func whatIsNoURL(text: String) {
        #expect(HTTPURL(text) == nil)
    }

    @Test(arguments: [
        ("/x", "https://a.example:443/x"), ("/x?y=1", "https://a.example:443/x?y=1"), ("//b.example/x", "https://b.example:443/x"),
        ("http://b.example/x", "http://b.example:80/x"), ("https://b.example:1/x", "https://b.example:1/x"),
    ])
    func aLocationLeadsFromHere(location: String, there: String) throws {
        let url = try #require(HTTPURL("https://a.example/from/here"))
        #expect(url.resolving(location)?.description == there)
    }

    @Test(arguments: ["", "x", "../x", "?x", "file:///x", "javascript:alert(1)", "/x y", "/\r\nX: y"])
    func aLocationThatIsNoneLeadsNowhere(location: String) throws {
        #expect(try #require(HTTPURL("https://a.example/")).resolving(location) == nil)
    }

    @Test func serversAreTheSameByKindNameAndPort() throws {
        let url = try #require(HTTPURL("https://a.example/x"))
        for (other, same) in [
            ("https://A.example:443/y", true), ("http://a.example:443/", false), ("https://a.example:444/", false),
            ("https://b.example/", false), ("https://a.example.org/", false),
        ] {
            #expect(url.sharesOrigin(with: try #require(HTTPURL(other))) == same, "\(other)")
        }
    }

    @Test func hostsAndPorts() {
        for (text, host, port) in [
            ("a", "a", nil), ("a:5000", "a", 5000), ("[::1]", "::1", nil), ("[::1]:5000", "::1", 5000), ("127.0.0.1:1", "127.0.0.1", 1),
        ] as [(String, String, UInt16?)] {
            let found = HTTPURL.hostAndPort(text)
            #expect(found?.host == host, "\(text)")
            #expect(found?.port == port, "\(text)")
        }
        for text in ["a:", "a:0", "a:65536", "a:b", "[::1]5000", "::1"] { #expect(HTTPURL.hostAndPort(text) == nil, "\(text)") }
    }

    @Test func proxies() {
        for (text, description) in [
            ("http://p", "http://p:80"), ("HTTPS://p/", "https://p:443"), ("socks5://[::1]", "socks5://[::1]:1080"),
            ("socks5h://p:5", "socks5://p:5"), ("http://ana:a%40b@p:3128", "http://p:3128"), ("http://a@b@p?x", "http://p:80"),
        ] {
            #expect(HTTPProxy(text)?.description == description, "\(text)")
        }
        for text in ["", "p", "p:80", "ftp://p", "socks4://p", "http://", "http://a@", "http://p:x", "http://p\r\n", "http:/p"] {
            #expect(HTTPProxy(text) == nil, "\(text)")
        }
    }
}
