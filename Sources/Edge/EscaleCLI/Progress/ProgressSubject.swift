import EscaleAPI

extension ProgressEvent {
    /// Whether the subject is a step of a build: `api 3/7 RUN make`.
    var isBuildStep: Bool { BuildStepName(subject) != nil }
}

/// A build step's subject, taken apart.
struct BuildStepName: Hashable {
    /// `api 3/7`
    let place: String
    /// `RUN make`
    let instruction: String

    init?(_ subject: String) {
        let words = subject.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3 else { return nil }
        let numbers = words[1].split(separator: "/", omittingEmptySubsequences: false)
        guard numbers.count == 2, numbers.allSatisfy({ Int($0) != nil }) else { return nil }
        place = "\(words[0]) \(words[1])"
        instruction = String(words[2])
    }
}
