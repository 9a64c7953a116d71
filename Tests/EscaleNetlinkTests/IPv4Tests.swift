import EscaleNetlink
import FoundationEssentials
import Testing

@Suite struct IPv4Tests {
    @Test(arguments: ["0.0.0.0", "10.210.0.5", "255.255.255.255"])
    func addressesReadAndPrintAlike(text: String) {
        #expect(IPv4Address(text)?.description == text)
    }

    @Test(arguments: ["", "10.0.0", "10.0.0.0.1", "256.0.0.1", "010.0.0.1", "1.2.3.x", "-1.0.0.0", "1.2.3.4 "])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test func subnetsReadAndPrintAlike() {
        #expect(IPv4Subnet("10.210.4.0/22")?.description == "10.210.4.0/22")
        #expect(IPv4Subnet("10.0.0.1")?.description == "10.0.0.1/32")
        #expect(IPv4Subnet("0.0.0.0/0") == .everything)
        for bad in ["10.210.4.1/22", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/08"] {
            #expect(IPv4Subnet(bad) == nil, "\(bad)")
        }
    }

    @Test func subnetsKnowWhatTheyHold() throws {
        let subnet = try #require(IPv4Subnet("10.210.4.0/22"))
        #expect(subnet.lastAddress == IPv4Address(10, 210, 7, 255))
        #expect(subnet.contains(IPv4Address(10, 210, 6, 1)))
        #expect(!subnet.contains(IPv4Address(10, 210, 8, 0)))
        #expect(subnet.assignable == IPv4Address(10, 210, 4, 1)...IPv4Address(10, 210, 7, 254))
        #expect(IPv4Subnet.everything.contains(subnet))
        #expect(subnet.overlaps(.everything))
        #expect(IPv4Subnet(IPv4Address(1, 2, 3, 4)).assignable.lowerBound == IPv4Address(1, 2, 3, 4))
    }

    @Test func addressesAreGivenOutFromTheLowest() throws {
        let subnet = try #require(IPv4Subnet("10.0.0.0/29"))
        #expect(firstFree(in: subnet, excluding: []) == IPv4Address(10, 0, 0, 1))
        #expect(firstFree(in: subnet, excluding: [IPv4Address(10, 0, 0, 2)], skipping: 1) == IPv4Address(10, 0, 0, 3))
        #expect(firstFree(in: subnet, excluding: Set((1...6).map { IPv4Address(10, 0, 0, $0) })) == nil)
        #expect(firstFree(in: subnet, excluding: [], skipping: 6) == nil)
    }

    @Test func subnetsAreGivenOutAroundWhatIsTaken() throws {
        let pool = try #require(IPv4Subnet("10.210.0.0/16"))
        func free(_ taken: String...) -> String? {
            firstFreeSubnet(ofLength: 22, in: pool, excluding: taken.compactMap { IPv4Subnet($0) })?.description
        }
        #expect(free() == "10.210.0.0/22")
        #expect(free("10.210.0.0/22", "10.210.4.0/22") == "10.210.8.0/22")
        #expect(free("10.210.0.128/25") == "10.210.4.0/22")
        #expect(free("10.210.0.0/17") == "10.210.128.0/22")
        #expect(free("10.0.0.0/8") == nil)
    }

    @Test func textIsTheCodedForm() throws {
        let subnet = try #require(IPv4Subnet("10.210.4.0/22"))
        let coded = try JSONEncoder().encode([subnet])
        #expect(String(decoding: coded, as: UTF8.self).contains("10.210.4.0"))
        #expect(try JSONDecoder().decode([IPv4Subnet].self, from: coded) == [subnet])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([IPv4Address].self, from: Data(#"["10.0.0"]"#.utf8))
        }
    }
}
