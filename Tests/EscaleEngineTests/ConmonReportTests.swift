import EscaleEngine
import Testing

/// What conmon says on its sync pipe.
@Suite struct ConmonReportTests {
    private func report(_ text: String) -> ConmonReport? { ConmonReport(Array(text.utf8)) }

    @Test func aProcessNumberIsOne() {
        #expect(report("{\"data\": 20668}\n")?.pid == 20668)
        #expect(report("{\"pid\": 7}")?.pid == 7)
    }

    @Test func whatFailedIsSaid() {
        let failed = report(
            "{\"data\": -1, \"message\": \"time=\\\"2026\\\" level=error msg=\\\"no such file\\\"\\n\"}\n")
        #expect(failed?.pid == nil)
        #expect(failed?.message == "time=\"2026\" level=error msg=\"no such file\"")
        #expect(report("{\"data\": -1, \"message\": \"one\\n\\ntwo\\n\"}")?.message == "one; two")
        #expect(report("{\"data\": -1}")?.message == "")
        #expect(report("{\"data\": 0}")?.pid == nil)
    }

    @Test(arguments: ["", "\n", "nonsense", "{}", "{\"data\": \"7\"}", "{\"data\": 7", "{\"data\": 99999999999}", "[]"])
    func whatIsNoReportIsNone(text: String) {
        #expect(report(text) == nil)
    }
}
