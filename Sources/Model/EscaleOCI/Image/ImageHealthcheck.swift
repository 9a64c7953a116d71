import EscaleCore

/// How an image says that its container does its work (Docker's addition). What is `nil` is for the engine to choose.
package struct ImageHealthcheck: Hashable, Codable, Sendable {
    package enum Test: Hashable, Sendable {
        /// No check, also where the image below has one.
        case none
        case exec([String])
        /// For the image's shell.
        case shell(String)
    }

    /// `nil` to inherit the test.
    package var test: Test?
    package var interval: Duration?
    package var timeout: Duration?
    package var startPeriod: Duration?
    package var startInterval: Duration?
    package var retries: Int?

    package init(test: Test?) { self.test = test }

    private enum CodingKeys: String, CodingKey {
        case test = "Test"
        case interval = "Interval"
        case timeout = "Timeout"
        case startPeriod = "StartPeriod"
        case startInterval = "StartInterval"
        case retries = "Retries"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func duration(_ key: CodingKeys) throws -> Duration? {
            try values.decodeIfPresent(Int64.self, forKey: key).flatMap { $0 == 0 ? nil : .nanoseconds($0) }
        }
        let words = try values.decodeIfPresent([String].self, forKey: .test) ?? []
        switch words.first {
        case nil: test = nil
        case "NONE": test = Test.none
        case "CMD": test = .exec(Array(words.dropFirst()))
        case "CMD-SHELL": test = .shell(words.dropFirst().first ?? "")
        case let word?:
            throw DecodingError.dataCorruptedError(
                forKey: .test,
                in: values,
                debugDescription: "unknown kind of health check: \(word)"
            )
        }
        interval = try duration(.interval)
        timeout = try duration(.timeout)
        startPeriod = try duration(.startPeriod)
        startInterval = try duration(.startInterval)
        retries = try values.decodeIfPresent(Int.self, forKey: .retries).flatMap { $0 == 0 ? nil : $0 }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch test {
        case nil: break
        case .some(.none): try values.encode(["NONE"], forKey: .test)
        case .exec(let words): try values.encode(["CMD"] + words, forKey: .test)
        case .shell(let line): try values.encode(["CMD-SHELL", line], forKey: .test)
        }
        try values.encodeIfPresent(interval?.nanoseconds, forKey: .interval)
        try values.encodeIfPresent(timeout?.nanoseconds, forKey: .timeout)
        try values.encodeIfPresent(startPeriod?.nanoseconds, forKey: .startPeriod)
        try values.encodeIfPresent(startInterval?.nanoseconds, forKey: .startInterval)
        try values.encodeIfPresent(retries, forKey: .retries)
    }
}
