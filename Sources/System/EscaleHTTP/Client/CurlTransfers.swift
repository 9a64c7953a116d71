import CCurl
import EscaleCore

/// The transfers under way; lives on ``CurlThread``'s thread.
struct CurlTransfers {
    private let multi: UnsafeMutableRawPointer
    private var transfers: [ObjectIdentifier: CurlTransfer] = [:]

    init(multi: UnsafeMutableRawPointer) { self.multi = multi }

    mutating func start(_ request: TransferRequest) {
        guard let transfer = CurlTransfer(request), curl_multi_add_handle(multi, transfer.easy) == CURLM_OK
        else {
            request.incoming.end(.failure(EscaleError(.httpFailed, "libcurl could not begin a transfer")))
            return
        }
        transfers[ObjectIdentifier(request.incoming)] = transfer
    }

    func resume(_ incoming: IncomingResponse) {
        guard let transfer = transfers[ObjectIdentifier(incoming)] else { return }
        curl_easy_pause(transfer.easy, CURLPAUSE_CONT)
    }

    /// Ends a transfer that libcurl hasn't finished; its connection is closed.
    mutating func end(_ incoming: IncomingResponse, _ result: Result<Void, any Error>) {
        guard let transfer = transfers.removeValue(forKey: ObjectIdentifier(incoming)) else { return }
        curl_multi_remove_handle(multi, transfer.easy)
        incoming.end(result)
    }

    mutating func endAll() {
        for transfer in transfers.values { end(transfer.request.incoming, .failure(CancellationError())) }
    }

    /// Lets libcurl do what it can without waiting, and settles what has finished.
    mutating func advance() {
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
        var waiting: Int32 = 0
        while let message = curl_multi_info_read(multi, &waiting) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else {
                continue
            }
            let result = message.pointee.data.result
            guard let transfer = transfers.values.first(where: { $0.easy == easy }) else { continue }
            end(transfer.request.incoming, transfer.outcome(result))
        }
    }
}
