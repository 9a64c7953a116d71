/// The known word that somebody most likely meant; `nil` where none is near.
func closest(to word: String, in known: [String]) -> String? {
    let limit = max(1, word.count / 3)
    let ranked = known.map { (word: $0, distance: editDistance(word, $0)) }.filter { $0.distance <= limit }
    return ranked.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
        ?? known.filter { word.count >= 4 && $0.hasPrefix(word) }.min()
}

/// How many letters to insert, delete, replace or swap with their neighbour to make one word the other.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left), right = Array(right)
    var before: [Int] = []
    var previous = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        for (j, b) in right.enumerated() {
            var best = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (a == b ? 0 : 1))
            if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, before[j - 1] + 1) }
            row.append(best)
        }
        (before, previous) = (previous, row)
    }
    return previous[right.count]
}
