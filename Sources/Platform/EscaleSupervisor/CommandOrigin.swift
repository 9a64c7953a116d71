/// Which process a command comes from, as far as it said.
package enum CommandOrigin {
    /// Its number, such as "4711".
    @TaskLocal package static var current: String?
}
