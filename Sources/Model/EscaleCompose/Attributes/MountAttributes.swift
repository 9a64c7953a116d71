extension ComposeAttribute {
    /// Volumes and what a service mounts.
    static let mountAttributes: [ComposeAttribute] =
        executed(.volume, "name", "external", "driver")
        + accepted(.volume, "labels", "nothing here goes by them; they are kept and shown by `escale config`")
        + accepted(.volumeExternal, "name", "the old form of `name` beside `external: true`")
        + refused(
            .volume,
            "driver_opts",
            hint: "data would end up in another place; mount the directory with a bind mount instead"
        )
        + executed(.mount, "type", "source", "target", "read_only", "bind", "image", "volume", "tmpfs")
        + accepted(.mount, "consistency", "host and containers see the same files at once")
        + refused(.mountImage, "subpath", hint: "copy the files into the service's own image")
        + executed(.mountBind, "create_host_path")
        + warned(.mountBind, "selinux", instead: "files are not relabelled")
        + warned(
            .mountBind,
            "recursive",
            instead: "mounts below the path are visible too",
            harmless: ["enabled"]
        )
        + refused(
            .mountBind,
            "propagation",
            hint: "mounts are private to the container",
            harmless: ["rprivate"]
        )
        + executed(.mountTmpfs, "size", "mode")
        + warned(.mountVolume, "labels", instead: "give labels where the volume is declared")
        + warned(
            .mountVolume,
            "nocopy",
            instead: "an empty volume takes the image's files",
            harmless: ["false"]
        )
        + refused(.mountVolume, "subpath", hint: "use a volume of its own for the directory")

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
