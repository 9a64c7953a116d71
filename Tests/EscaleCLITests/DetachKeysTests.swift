import EscaleClient
import EscaleCore
import Testing

/// The keys that leave a container running.
@Suite struct DetachKeysTests {
    @Test func keysThatDetachArePassedOnToNobody() {
        var keys = DetachKeys([16, 17])
        let (passed, detaches) = keys.take([1, 2, 16, 17, 3])
        #expect(passed == [1, 2])
        #expect(detaches)
    }

    @Test func keysMayComeInPieces() {
        var keys = DetachKeys([16, 17])
        #expect(keys.take([5, 16]) == ([5], false))
        #expect(keys.take([17]) == ([], true))
    }

    @Test func aBeginningThatGoesOnOtherwiseIsPassedOn() {
        var keys = DetachKeys([16, 17])
        #expect(keys.take([16]) == ([], false))
        #expect(keys.take([9]) == ([16, 9], false))
        #expect(keys.take([16, 16, 17]) == ([16], true))
    }

    @Test func withoutKeysAllIsPassedOn() {
        var keys = DetachKeys([])
        #expect(keys.take([16, 17]) == ([16, 17], false))
    }

    @Test(arguments: [("ctrl-p,ctrl-q", [16, 17]), ("a", [97]), ("ctrl-\\", [28]), ("ctrl-@,x", [0, 120]), ("ctrl-A", [1])] as [(String, [UInt8])])
    func keysAreWrittenAsWithDocker(text: String, keys: [UInt8]) throws {
        #expect(try DetachKeys.parse(text) == keys)
    }

    @Test(arguments: ["", "ctrl-", "ctrl-p,", "ab", "ctrl-1", "ctrl-pq"]) func otherTextsAreRefused(text: String) {
        #expect(throws: EscaleError.self) { try DetachKeys.parse(text) }
    }
}
