package import EscaleCore
package import Testing

/// The body has to throw an error of this code, with all these words in what people see of it.
@discardableResult
package func expectError(
    _ code: EscaleError.Code, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> EscaleError? {
    let error = await #expect(throws: EscaleError.self, sourceLocation: sourceLocation) { try await body() }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
    let text = error?.rendered() ?? ""
    for one in words { #expect(text.contains(one), "\"\(one)\" is not in:\n\(text)", sourceLocation: sourceLocation) }
    return error
}
