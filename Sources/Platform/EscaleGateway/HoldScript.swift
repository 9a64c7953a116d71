/// The Lua action that lets requests wait for a replica. It runs only where there is none, and its sleep costs a timer.
///
/// A waiting request holds what HAProxy has read of its body, at most a buffer; the rest stays with the client.
enum HoldScript {
    static let text = """
        core.register_action("escale_hold", { "http-req" }, function(txn, limit)
            local waited, pause = 0, 5
            limit = tonumber(limit)
            while waited < limit and txn.f:nbsrv() < 1 do
                core.msleep(pause)
                waited = waited + pause
                if pause < 50 then pause = pause + 1 end
            end
        end, 1)

        """
}
