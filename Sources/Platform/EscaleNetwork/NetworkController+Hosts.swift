import EscaleCore
import EscaleSystem

/// Hosts outside that have a name on the networks, and whose addresses may change at any time.
extension NetworkController {
    /// How long a state waits for the addresses of hosts that it is the first to name.
    private static let firstLookup = Duration.seconds(2)

    /// The state with the addresses that are known.
    func answered(_ state: NetworkState) -> NetworkState {
        var state = state
        for index in state.outside.indices {
            let host = state.outside[index].host
            state.outside[index].answer = HostAnswer(literal: host) ?? book.hosts?[host] ?? HostAnswer()
        }
        return state
    }

    /// Looks up what nobody has asked for yet, and has all hosts looked up again from then on.
    func followHosts(of state: NetworkState?) async {
        let hosts = Self.names(of: state).filter { followers[$0] == nil }
        await withTaskGroup(of: Void.self) { group in
            for host in hosts where book.hosts?[host] == nil {
                group.addTask { [self, lookup] in
                    guard let answer = await HostLookup.within(Self.firstLookup, { await lookup(host) }) else { return }
                    await learn(host, answer)
                }
            }
        }
        for host in hosts where followers[host] == nil {
            followers[host] = Task { [weak self, interval = lookupInterval] in
                // Ends with the last state that names the host, or with the controller.
                while (try? await Task.sleep(for: interval)) != nil, await self?.lookAgain(host) == true {}
            }
        }
    }

    /// Whether the host is to be looked up again.
    private func lookAgain(_ host: String) async -> Bool {
        let answer = await lookup(host)
        guard Self.names(of: latest).contains(host) else {
            followers[host] = nil
            unanswered.remove(host)
            return false
        }
        guard let answer else {
            // What was true last is better than nothing.
            if unanswered.insert(host).inserted { log.warning("a host outside has no address", ["host": host]) }
            return true
        }
        unanswered.remove(host)
        guard learn(host, answer) else { return true }
        do {
            try await enforceAgain()
        } catch {
            // The patrol tries again.
            log.error("the names can't be written", ["host": host, "error": "\(error)"])
        }
        return true
    }

    /// Whether it is news.
    @discardableResult
    private func learn(_ host: String, _ answer: HostAnswer) -> Bool {
        guard book.hosts?[host] != answer else { return false }
        log.info("a host outside was found", ["host": host, "addresses": answer.description])
        book.hosts = (book.hosts ?? [:]).filter { Self.names(of: latest).contains($0.key) }.merging([host: answer]) { $1 }
        do {
            try saveBook()
        } catch {
            // Whoever comes after this daemon asks again.
            log.warning("the addresses of hosts outside can't be kept", ["error": "\(error)"])
        }
        return true
    }

    /// Those that are names, and no addresses.
    private static func names(of state: NetworkState?) -> Set<String> {
        Set((state?.outside ?? []).map(\.host).filter { HostAnswer(literal: $0) == nil })
    }
}
