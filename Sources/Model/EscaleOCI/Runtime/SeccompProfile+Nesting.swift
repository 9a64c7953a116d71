extension SeccompProfile {
    private static let nesting = [
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root", "setns",
        "umount", "umount2", "unshare",
    ]
    private static let keys = ["add_key", "keyctl", "request_key"]

    /// The bits of `clone` that make namespaces, `CLONE_NEWUSER` and its kin.
    private static let namespaces: UInt64 = 0x7E02_0000

    /// The profile as Docker has it: namespaces and mounts only for who has `CAP_SYS_ADMIN`, and the kernel's keys, which are in
    /// no namespace, for nobody. The shared one lets everybody have them, for containers in containers without root.
    package var withoutNesting: SeccompProfile {
        let admin = Condition(caps: ["CAP_SYS_ADMIN"])
        let ours = Set(Self.nesting + Self.keys + ["clone", "clone3"])
        var profile = self
        profile.syscalls = (syscalls ?? []).compactMap { rule in
            var rule = rule
            rule.names = rule.names?.filter { !ours.contains($0) }
            return rule.names?.isEmpty == true || rule.name.map(ours.contains) == true ? nil : rule
        }
        let isThread = SeccompFilter.Argument(index: 0, value: Self.namespaces, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")
        profile.syscalls? += [
            Rule(names: Self.nesting + ["clone", "clone3"], action: "SCMP_ACT_ALLOW", includes: admin),
            Rule(names: Self.nesting, action: "SCMP_ACT_ERRNO", excludes: admin, errnoRet: 1),
            Rule(names: ["clone"], action: "SCMP_ACT_ALLOW", args: [isThread], excludes: admin),
            // Its flags are in memory, where no filter can see them; programs fall back on clone.
            Rule(names: ["clone3"], action: "SCMP_ACT_ERRNO", excludes: admin, errnoRet: 38),
            Rule(names: Self.keys, action: "SCMP_ACT_ERRNO", errnoRet: 1),
        ]
        return profile
    }
}
