/// How many pods of two versions give one of them a share of the connections, where each pod gets the same.
package struct PodSplit: Hashable {
    package let old: Int
    package let new: Int

    /// - Parameters:
    ///   - share: percent for the new version.
    ///   - old: as many as there are.
    ///   - new: at least so many.
    ///   - most: new ones.
    package init(share: Int, old: Int, new: Int, most: Int) {
        guard (1...99).contains(share), old > 0, new > 0 else {
            (self.old, self.new) = (old, new)
            return
        }
        let fitting = (old * share + (100 - share) / 2) / (100 - share)
        self.new = min(max(fitting, new), max(most, new))
        // Old pods stay as long as new ones can do it.
        self.old = fitting <= self.new ? old : min(old, max(1, (self.new * (100 - share) + share / 2) / share))
    }

    var both: (old: Int, new: Int) { (old, new) }
}
