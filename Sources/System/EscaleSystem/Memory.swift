import CEscaleLinux

/// What glibc's allocator keeps for itself, in a process that lives long and has many threads that do little.
package enum Memory {
    /// Two arenas instead of eight for each processor, and large blocks go back to the system at once. To be called before any thread is started.
    package static func limitArenas() { c_escale_limit_arenas() }

    /// Gives what is free back to the system. Takes some milliseconds.
    package static func trim() { c_escale_trim_memory() }
}
