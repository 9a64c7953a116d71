import EscaleNetlink
import FoundationEssentials
import Testing

@Suite struct IPv6Tests {
    @Test(arguments: ["::", "::1", "fd65:730a:d200::5", "2001:db8::ff00:42:8329"])
    func addressesReadAndPrintAlike(text: String) {
        #expect(IPv6Address(text)?.description == text)
    }

    @Test func anyFormIsRead() {
        #expect(IPv6Address("FD00:0:0:0:0:0:0:05")?.description == "fd00::5")
        #expect(IPv6Address("fd00::1")?.advanced(by: 15).description == "fd00::10")
        #expect(IPv6Address("fd00::1")?.bytes == [0xfd] + Array(repeating: 0, count: 14) + [1])
    }

    @Test(arguments: ["", "10.0.0.1", "fd00", "fd00::1::2", "[::1]", "fe80::1%eth0", "g::1", "::1 "])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(IPv6Address(text) == nil)
    }

    @Test func subnetsKnowWhatTheyHold() throws {
        let subnet = try #require(IPv6Subnet("fd00:1::/64"))
        #expect(subnet.lastAddress.description == "fd00:1::ffff:ffff:ffff:ffff")
        #expect(subnet.assignable.lowerBound.description == "fd00:1::1")
        #expect(subnet.assignable.upperBound.description == "fd00:1::ffff:ffff:ffff:fffe")
        #expect(IPv6Subnet.everything.contains(subnet) && IPv6Subnet.everything.description == "::/0")
        #expect(IPv6Subnet("fd00:1::5")?.description == "fd00:1::5/128")
        for bad in ["fd00::1/64", "fd00::/129", "fd00::/", "/64", "10.0.0.0/8"] { #expect(IPv6Subnet(bad) == nil, "\(bad)") }
    }

    @Test func addressesAreGivenOutFromBothEnds() throws {
        let subnet = try #require(IPv6Subnet("fd00:1::/64"))
        let first = try #require(firstFree(in: subnet, excluding: []))
        #expect(first.description == "fd00:1::1")
        #expect(firstFree(in: subnet, excluding: [first])?.description == "fd00:1::2")
        #expect(lastFree(in: subnet, excluding: [])?.description == "fd00:1::ffff:ffff:ffff:fffe")
        let pool = try #require(IPv6Subnet("fd00:1::/48"))
        #expect(firstFreeSubnet(ofLength: 64, in: pool, excluding: [subnet])?.description == "fd00:1:0:1::/64")
        #expect(firstFreeSubnet(ofLength: 64, in: pool, excluding: [try #require(IPv6Subnet("fd00::/8"))]) == nil)
    }

    @Test func textIsTheCodedForm() throws {
        let subnet = try #require(IPv6Subnet("fd00:1::/64"))
        let coded = try JSONEncoder().encode([subnet])
        #expect(String(decoding: coded, as: UTF8.self).contains("fd00:1::"))
        #expect(try JSONDecoder().decode([IPv6Subnet].self, from: coded) == [subnet])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([IPv6Address].self, from: Data(#"["10.0.0.1"]"#.utf8))
        }
    }
}
