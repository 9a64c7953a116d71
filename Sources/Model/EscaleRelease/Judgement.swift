package import EscaleAPI
package import EscaleCompose
import EscaleCore

/// What an analysis says of the new version.
package enum Verdict: String, Codable, Hashable, Sendable {
    case successful
    case failed
    /// A query or a command didn't work.
    case error
    /// Too little traffic to tell.
    case inconclusive
}

/// A verdict and the figures it rests on.
package struct Judgement: Hashable, Sendable {
    package var verdict: Verdict
    /// `error rate 0.4 % (limit 1 %), p95 12ms (limit 300ms)`.
    package var text: String
}

/// Judges the new version by its limits, and against the old one at the same time.
///
/// Pure. A broken limit fails it whatever else holds; then errors of checks, then too few requests, make it uncertain.
package func judge(_ analysis: Analysis, _ view: ServiceView, new: Int, old: Int) -> Judgement {
    let newFigures = view.figures[new] ?? TrafficFigures(requests: 0, errors: 0, requestsPerSecond: 0)
    let oldFigures = view.figures[old]
    var findings: [(text: String, isGood: Bool)] = []
    let hasLimits = analysis.hasTrafficLimits
    let isEnough = newFigures.requests >= analysis.minRequests
    if hasLimits && isEnough { findings += judgeTraffic(analysis, newFigures, oldFigures) }
    for check in view.checks {
        findings.append(("\(check.name): \(check.text)", check.verdict != .failed))
    }
    let texts = (hasLimits ? ["\(newFigures.requests) requests"] : []) + findings.map(\.text)
    let text = texts.joined(separator: ", ")
    if findings.contains(where: { !$0.isGood }) { return Judgement(verdict: .failed, text: text) }
    if let broken = view.checks.first(where: { $0.verdict == .error }) {
        return Judgement(verdict: .error, text: "\(broken.name): \(broken.text)")
    }
    if view.checks.contains(where: { $0.verdict == .inconclusive }) { return Judgement(verdict: .inconclusive, text: text) }
    if hasLimits && !isEnough {
        return Judgement(
            verdict: .inconclusive, text: "\(newFigures.requests) requests, \(analysis.minRequests) are needed (`min_requests`)")
    }
    return Judgement(verdict: .successful, text: text.isEmpty ? "nothing to judge by" : text)
}

extension Analysis {
    /// Whether it says anything of requests.
    package var hasTrafficLimits: Bool {
        maxErrorRate != nil || maxErrorRateIncrease != nil || maxP50 != nil || maxP95 != nil || maxP99 != nil
            || maxP95Ratio != nil
    }
}

private func judgeTraffic(
    _ analysis: Analysis, _ new: TrafficFigures, _ old: TrafficFigures?
) -> [(text: String, isGood: Bool)] {
    var findings: [(text: String, isGood: Bool)] = []
    let rate = new.errorRate
    if let limit = analysis.maxErrorRate {
        findings.append(("error rate \(percent(rate)) (limit \(percent(limit)))", rate <= limit))
    }
    for (name, value, limit) in [
        ("p50", new.p50, analysis.maxP50), ("p95", new.p95, analysis.maxP95), ("p99", new.p99, analysis.maxP99),
    ] {
        guard let limit, let value else { continue }
        findings.append(("\(name) \(milliseconds(value)) (limit \(milliseconds(limit)))", value <= limit))
    }
    // Against a version that hardly anybody uses there is nothing to compare.
    guard let old, old.requests >= analysis.minRequests else { return findings }
    if let limit = analysis.maxErrorRateIncrease {
        let text = "error rate \(percent(rate)) against \(percent(old.errorRate)) (limit +\(percent(limit)))"
        findings.append((text, rate - old.errorRate <= limit))
    }
    if let limit = analysis.maxP95Ratio, let newTime = new.p95, let oldTime = old.p95 {
        let ratio = newTime.seconds / max(oldTime.seconds, 0.000_001)
        let text = "p95 \(milliseconds(newTime)) against \(milliseconds(oldTime)) (limit \(rounded(limit)) times)"
        findings.append((text, ratio <= limit))
    }
    return findings
}

extension TrafficFigures {
    /// Failed requests as a share of all, 0...1.
    package var errorRate: Double { requests == 0 ? 0 : Double(errors) / Double(requests) }
}

private func percent(_ share: Double) -> String { "\(rounded(share * 100)) %" }

private func milliseconds(_ duration: Duration) -> String { "\(rounded(duration.seconds * 1000))ms" }

private func rounded(_ value: Double) -> String {
    let cut = (value * 100).rounded() / 100
    return cut == cut.rounded() && abs(cut) < 1e15 ? "\(Int(cut))" : "\(cut)"
}
