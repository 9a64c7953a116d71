import EscaleCore
import EscaleSystem
import Glibc

/// A Git repository as `ADD` names it: `https://host/team/app.git#v1.2:docs`, `git@host:team/app.git`.
struct GitRepository: Hashable, Sendable {
    /// As the `git` program takes it.
    let url: String
    /// A branch, a tag or a commit; `nil` for what the repository has checked out.
    let reference: String?
    /// The directory that is meant; empty for the whole.
    let directory: String

    static let program = "/usr/bin/git"

    /// `nil` for what is no repository.
    init?(_ text: String) {
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isOwnScheme = ["git://", "ssh://", "git@"].contains(where: text.hasPrefix)
        let isWeb = text.hasPrefix("http://") || text.hasPrefix("https://")
        guard isOwnScheme || (isWeb && parts[0].hasSuffix(".git")) else { return nil }
        url = parts[0]
        let rest = parts.count > 1 ? parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false) : []
        reference = rest.first.flatMap { $0.isEmpty ? nil : String($0) }
        directory = rest.count > 1 ? String(rest[1]) : ""
    }

    /// Fetches the files into a directory that isn't there yet.
    ///
    /// - Parameters:
    ///   - checksum: the commit that it must be, or its beginning.
    ///   - agent: the socket of an SSH agent; `nil` for none.
    /// - Returns: the commit.
    /// - Throws: `build.git` with what `git` says; `build.checksum`.
    func fetch(into place: String, checksum: String?, keepsHistory: Bool, agent: String?) async throws -> String {
        guard Files.exists(Self.program) else {
            throw EscaleError(.init("build.git"), "ADD needs git to fetch \(url), and it is not installed", hint: "apt install git")
        }
        let git = Runner(place: place, agent: agent, url: url)
        try await blocking { try Files.createDirectories(place) }
        try await git.run(["init", "--quiet"])
        try await fetchCommit(git)
        let commit = try await git.run(["rev-parse", "HEAD"]).filter { !$0.isWhitespace }
        if let checksum, !commit.hasPrefix(checksum.lowercased()) || checksum.count < 7 {
            throw EscaleError(
                .init("build.checksum"), "\(url) is at the commit \(commit), not \(checksum)",
                hint: "it has changed, or is not what it should be")
        }
        if Files.exists(place + "/.gitmodules") {
            try await git.run(["submodule", "--quiet", "update", "--init", "--recursive"])
        }
        if !keepsHistory { try await blocking { try Files.remove(place + "/.git") } }
        return commit
    }

    private func fetchCommit(_ git: Runner) async throws {
        let wanted = reference ?? "HEAD"
        let words = ["fetch", "--quiet", "--no-tags", "--", url, wanted]
        do {
            try await git.run(["fetch", "--quiet", "--no-tags", "--depth", "1", "--", url, wanted])
        } catch let error as EscaleError where error.code.rawValue == "build.git" {
            // Some servers give no parts, and some no commit by its name: then all of it has to come.
            if wanted.count >= 7, wanted.allSatisfy(\.isHexDigit) {
                try await git.run(["fetch", "--quiet", "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
                try await git.run(["checkout", "--quiet", "--detach", wanted])
                return
            }
            try await git.run(words)
        }
        try await git.run(["checkout", "--quiet", "--detach", "FETCH_HEAD"])
    }

    /// Runs `git` so that it asks nobody, and reads nobody's settings.
    private struct Runner: Sendable {
        let place: String
        let agent: String?
        let url: String

        @discardableResult
        func run(_ words: [String]) async throws -> String {
            var environment = Command.defaultEnvironment
            environment["HOME"] = "/nonexistent"
            environment["GIT_TERMINAL_PROMPT"] = "0"
            environment["GIT_CONFIG_NOSYSTEM"] = "1"
            environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
            environment["GIT_ALLOW_PROTOCOL"] = "http:https:git:ssh"
            environment["SSH_AUTH_SOCK"] = agent
            for name in BuildArguments.proxies {
                if let value = getenv(name) { environment[name] = String(cString: value) }
            }
            let command = Command(GitRepository.program, words, environment: environment, directory: place)
            let result = try await command.run(timeout: .seconds(3600))
            guard result.status == 0 else {
                throw EscaleError(
                    .init("build.git"), "\(url) can't be fetched: git \(words[0]) ended with \(result.status)",
                    hint: "check the address, the branch and, for a private one, `build.ssh`",
                    details: [.init("git says", result.tail(5))])
            }
            return result.text
        }
    }
}
