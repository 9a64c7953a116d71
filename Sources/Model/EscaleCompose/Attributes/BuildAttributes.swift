extension ComposeAttribute {
    static let buildAttributes: [ComposeAttribute] =
        executed(.build, "context", "dockerfile", "args", "target")
        + warned(.build, "labels", instead: "the image is built without them")
        + warned(.build, "tags", instead: "the image has only the service's `image` for a name")
        + warned(
            .build,
            "cache_from",
            "cache_to",
            "no_cache",
            "no_cache_filter",
            "pull",
            instead: "the local build cache is used",
            harmless: ["false"]
        )
        + warned(.build, "shm_size", "ulimits", instead: "the build runs with the usual limits")
        + warned(.buildUlimit, "soft", "hard", instead: "the build runs with the usual limits")
        + warned(.build, "platforms", instead: "the image is built for this machine's architecture")
        + warned(.build, "provenance", "sbom", instead: "no attestation is made", harmless: ["false"])
        + refused(.build, "dockerfile_inline", hint: "write it to a file and name that under `dockerfile`")
        + refused(.build, "additional_contexts", hint: "use one context, or COPY --from another stage")
        + refused(.build, "secrets", "ssh", hint: "build without it, or fetch what needs it before the build")
        + refused(
            .buildSecret,
            "source",
            "target",
            "uid",
            "gid",
            "mode",
            hint: "build without it, or fetch what needs it before the build"
        )
        + refused(.build, "network", hint: "builds use the host's connection", harmless: ["default"])
        + refused(.build, "extra_hosts", hint: "give the host a name in the DNS that this machine uses")
        + refused(.build, "privileged", "entitlements", hint: "builds run unprivileged", harmless: ["false"])
        + refused(.build, "isolation", hint: "it is for Windows containers", harmless: ["default"])
}
