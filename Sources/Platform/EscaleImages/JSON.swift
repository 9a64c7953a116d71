import FoundationEssentials

/// The one way in which the store writes JSON: keys sorted, so that equal values have equal digests.
package func encodeJSON(_ value: some Encodable, pretty: Bool = false) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return Array(try encoder.encode(value))
}

/// What a decoder has to say, in a few words for people.
package func describe(_ error: any Error) -> String {
    func place(_ path: [any CodingKey]) -> String { path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".") }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
        return "there is no \(place(context.codingPath + [key]))"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
        let name = place(context.codingPath)
        return (name.isEmpty ? "it" : name) + " has the wrong type"
    case DecodingError.dataCorrupted(let context):
        let name = place(context.codingPath)
        return name.isEmpty ? "it is not JSON" : "\(name) is not valid: \(context.debugDescription)"
    default: return "\(error)"
    }
}

package func decodeJSON<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
    try JSONDecoder().decode(type, from: Data(bytes))
}
