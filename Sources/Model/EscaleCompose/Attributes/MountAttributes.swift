extension ComposeAttribute {
    /// Volumes and what a service mounts.
    static let mountAttributes: [ComposeAttribute] =
        executed(.volume, "name", "external", "driver", "driver_opts", "x-escale")
        + warned(.volumeEscale, "size", instead: "nothing bounds a volume of this machine; Kubernetes goes by it")
        + accepted(.volume, "labels", "nothing here goes by them; they are kept and shown by `escale config`")
        + accepted(.volumeExternal, "name", "the old form of `name` beside `external: true`")
        + executed(.mount, "type", "source", "target", "read_only", "bind", "image", "volume", "tmpfs")
        + accepted(.mount, "consistency", "host and containers see the same files at once")
        + executed(.mountImage, "subpath")
        + executed(.mountBind, "create_host_path", "propagation", "recursive")
        + warned(.mountBind, "selinux", instead: "files are not relabelled")
        + executed(.mountTmpfs, "size", "mode")
        + warned(.mountVolume, "labels", instead: "give labels where the volume is declared")
        + executed(.mountVolume, "nocopy", "subpath")

    /// Secrets and configs, and how a service sees them.
    static let sharedFileAttributes: [ComposeAttribute] =
        [Scope.secret, .config].flatMap { scope in
            executed(scope, "file", "environment")
                + accepted(scope, "name", "services find it by its key")
                + accepted(
                    scope,
                    "labels",
                    "nothing here goes by them; they are kept and shown by `escale config`"
                )
                + refused(
                    scope,
                    "external",
                    "template_driver",
                    hint: "put the value into a file and name it with `file`",
                    harmless: ["false"]
                )
        }
        + executed(.config, "content")
        + refused(
            .secret,
            "driver",
            "driver_opts",
            hint: "put the value into a file and name it with `file`"
        )
        + [Scope.secretExternal, .configExternal].flatMap {
            refused($0, "name", hint: "put the value into a file and name it with `file`")
        }
        + [Scope.serviceSecret, .serviceConfig].flatMap {
            executed($0, "source", "target", "uid", "gid", "mode")
        }
}
