package import EscaleCore

/// Whom a container's process runs as.
package struct ResolvedUser: Hashable, Codable, Sendable {
    package var uid: UInt32
    package var gid: UInt32
    /// The groups that list the user, where no group was asked for.
    package var additionalGroups: [UInt32]
    package var home: String

    package init(uid: UInt32, gid: UInt32, additionalGroups: [UInt32] = [], home: String = "/") {
        self.uid = uid
        self.gid = gid
        self.additionalGroups = additionalGroups
        self.home = home
    }
}

/// Finds a user as Docker does: `name`, `uid`, `name:group`, `uid:gid`, each part a name or a number.
///
/// A number needs no entry (its group is then 0); a name does. Empty text is root.
/// - Parameters:
///   - passwd: the text of the image's `/etc/passwd`, empty where it has none.
///   - group: the text of its `/etc/group`.
/// - Throws: `image.user` for a name that isn't there.
package func resolveUser(_ text: String, passwd: String, group: String) throws(EscaleError) -> ResolvedUser {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let name = parts[0].isEmpty ? "0" : parts[0]
    let users = records(passwd, fields: 7)
    let groups = records(group, fields: 4)
    var user: ResolvedUser
    let userName: String?
    if let entry = users.first(where: { $0[0] == name }) ?? users.first(where: { $0[2] == name }),
        let uid = UInt32(entry[2]), let gid = UInt32(entry[3])
    {
        user = ResolvedUser(uid: uid, gid: gid, home: entry[5].isEmpty ? "/" : entry[5])
        userName = entry[0]
    } else if let uid = UInt32(name) {
        user = ResolvedUser(uid: uid, gid: 0)
        userName = nil
    } else {
        throw .unknownUser("user \"\(name)\"", "/etc/passwd")
    }
    if parts.count > 1, !parts[1].isEmpty {
        user.gid = try resolveGroup(parts[1], group: group)
    } else if let userName {
        user.additionalGroups =
            groups.filter { $0[3].split(separator: ",").contains(Substring(userName)) }.compactMap {
                $0[2].asNumber
            }
    }
    return user
}

/// The number of a group, given by its name in the image's `/etc/group` or by a number.
///
/// - Throws: `image.user` for a name that isn't there.
package func resolveGroup(_ text: String, group: String) throws(EscaleError) -> UInt32 {
    let groups = records(group, fields: 4)
    let entry = groups.first { $0[0] == text } ?? groups.first { $0[2] == text }
    guard let number = (entry?[2] ?? text).asNumber else { throw .unknownUser("group \"\(text)\"", "/etc/group") }
    return number
}

/// The lines of a colon-separated file, comments and short lines left out; missing fields at the end are empty.
private func records(_ text: String, fields: Int) -> [[String]] {
    text.split(separator: "\n").compactMap { line in
        guard !line.hasPrefix("#") else { return nil }
        let record = line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard record.count >= 3 else { return nil }
        return record + Array(repeating: "", count: max(0, fields - record.count))
    }
}

extension String {
    fileprivate var asNumber: UInt32? { UInt32(self) }
}

extension EscaleError {
    fileprivate static func unknownUser(_ who: String, _ file: String) -> Self {
        Self(
            Code("image.user"),
            "\(who) is not in the image's \(file)",
            hint: "use a number, or add the name while the image is built"
        )
    }
}
