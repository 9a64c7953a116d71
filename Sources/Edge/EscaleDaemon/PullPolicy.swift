package import EscaleAPI
package import EscaleCompose
package import EscaleCore

/// When a service's image is pulled (Compose Specification, `pull_policy`).
package enum PullPolicy: Hashable, Sendable {
    case always, missing, never
    /// Where the last pull is longer ago.
    case after(Duration)

    package init(_ settings: ImageSettings?, override: UpRequest.PullMode?) {
        switch override {
        case .always: self = .always
        case .missing: self = .missing
        case .never: self = .never
        case nil:
            switch settings?.pullPolicy {
            case .always: self = .always
            case .never: self = .never
            // What is to be built and has no `build` can only be found.
            case nil, .missing, .build: self = .missing
            case .daily: self = .after(.seconds(86400))
            case .weekly: self = .after(.seconds(7 * 86400))
            case .every(let time): self = .after(time)
            case .refresh: self = .after(settings?.refreshAfter ?? .zero)
            }
        }
    }

    /// - Parameter last: when it was pulled last.
    package func pulls(has: Bool, last: Timestamp?, now: Timestamp) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .missing: !has
        case .after(let time): !has || last.map { now - $0 >= time } ?? true
        }
    }
}
