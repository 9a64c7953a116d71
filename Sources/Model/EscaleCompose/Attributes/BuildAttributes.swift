extension ComposeAttribute {
    static let buildAttributes: [ComposeAttribute] =
        executed(.build, "context", "dockerfile", "dockerfile_inline", "args", "target", "labels", "tags")
        + executed(.build, "cache_from", "cache_to", "no_cache", "no_cache_filter", "pull", "platforms")
        + executed(.build, "additional_contexts", "secrets", "ssh", "network", "extra_hosts", "shm_size", "ulimits")
        + executed(.buildUlimit, "soft", "hard")
        + executed(.buildSecret, "source", "target")
        + warned(.buildSecret, "uid", "gid", "mode", instead: "the Dockerfile's `RUN --mount` says whose the file is")
        + warned(.build, "provenance", "sbom", instead: "no attestation is made", harmless: ["false"])
        + refused(.build, "privileged", "entitlements", hint: "builds run unprivileged", harmless: ["false"])
        + refused(.build, "isolation", hint: "it is for Windows containers", harmless: ["default"])
}
