/// What a compose file stands in: where its relative paths start and which variables it sees.
///
/// The files of a project share one; an included file and one that a service is taken from have their own.
struct FileScope: Equatable {
    /// Absolute.
    let directory: String
    let variables: [String: String]
}
