// A streaming chat with socket.io-client-swift 16. Not compiled or run by this project's tests.
//   .package(url: "https://github.com/socketio/socket.io-client-swift", from: "16.1.1")

import Foundation
import SocketIO

struct Problem: Error { let body: [String: Any] }
/// Access tokens, refreshed before they expire.
actor Session {
    private let server: URL
    private var tokens: [String: Any] = [:]
    private var expiresAt = Date.distantPast

    init(server: URL) { self.server = server }

    func login(email: String, password: String) async throws {
        keep(try await post("/auth/login", ["email": email, "password": password]))
    }

    func refresh() async throws -> String {
        keep(try await post("/auth/refresh", ["refresh_token": tokens["refresh_token"]!]))
        return tokens["access_token"] as! String
    }

    func accessToken() async throws -> String {
        if Date() > expiresAt.addingTimeInterval(-30) { return try await refresh() }
        return tokens["access_token"] as! String
    }

    func createConversation() async throws -> Int {
        try await post("/conversations/create", [:], token: accessToken())["id"] as! Int
    }

    private func keep(_ pair: [String: Any]) {
        tokens = pair
        expiresAt = Date().addingTimeInterval(pair["expires_in"] as! Double)
    }

    private func post(_ path: String, _ body: [String: Any], token: String? = nil) async throws -> [String: Any] {
        var request = URLRequest(url: URL(string: server.absoluteString + path)!)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        request.httpBody = try JSONSerialization.data(withJSONObject: body)
        let (data, response) = try await URLSession.shared.data(for: request)
        let answer = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        if (response as! HTTPURLResponse).statusCode >= 400 { throw Problem(body: answer) }
        return answer
    }
}

/// Offsets count UTF-16 code units, which NSString has too; Swift's String counts characters.
/// Returns nil where text is missing before the offset.
func applyDelta(_ part: String, offset: Int, text: String) -> String? {
    let utf16 = part as NSString
    return offset > utf16.length ? nil : utf16.substring(to: offset) + text
}

/// One conversation. Everything runs on the main queue, where SocketManager calls its handlers.
@MainActor
final class Chat {
    private let session: Session
    private let id: Int
    private let manager: SocketManager
    private let socket: SocketIOClient
    private var messages: [Int: [String: Any]] = [:]
    /// Messages without an acknowledgement.
    private var unsent: [[String: Any]] = []
    private let onMessage: ([String: Any]) -> Void

    init(server: URL, session: Session, conversationId: Int, onMessage: @escaping ([String: Any]) -> Void) {
        self.session = session
        self.id = conversationId
        self.onMessage = onMessage
        // The manager's own reconnects would send the first token again.
        manager = SocketManager(socketURL: server, config: [.reconnects(false), .forceWebsockets(true)])
        socket = manager.socket(forNamespace: "/chat")
        // Runs after each reconnect too: the page contains what was missed, the deltas follow it.
        socket.on(clientEvent: .connect) { [weak self] _, _ in self?.open() }
        socket.on(clientEvent: .disconnect) { [weak self] _, _ in self?.connect(after: 1) }
        // A refused handshake leaves the socket connecting; disconnecting calls the handler above.
        socket.on(clientEvent: .error) { [weak self] _, _ in self?.socket.disconnect() }
        for event in ["message.created", "message.restarted", "message.completed"] {
            socket.on(event) { [weak self] data, _ in self?.show((data[0] as! [String: Any])["message"]) }
        }
        socket.on("message.delta") { [weak self] data, _ in self?.apply(data[0] as! [String: Any]) }
        socket.on("session.expiring") { [weak self] _, _ in
            Task { @MainActor in
                guard let self, let token = try? await self.session.refresh() else { return }
                self.socket.emitWithAck("auth.refresh", ["token": token]).timingOut(after: 10) { _ in }
            }
        }
    }

    func connect(after seconds: Double = 0) {
        Task { @MainActor in
            try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
            guard socket.status != .connected, socket.status != .connecting else { return }
            guard let token = try? await session.accessToken() else { return connect(after: 5) }
            socket.connect(withPayload: ["token": token])
        }
    }

    func send(_ content: String) {
        let ownId = UUID().uuidString.lowercased()
        unsent.append(["conversation_id": id, "content": content, "client_message_id": ownId])
        deliver(ownId)
    }

    private func open() {
        socket.emitWithAck("conversation.open", ["conversation_id": id]).timingOut(after: 10) { [weak self] data in
            guard let self, let answer = data.first as? [String: Any] else { return }
            let page = answer["data"] as? [String: Any]
            (page?["messages"] as? [[String: Any]])?.forEach { self.show($0) }
            self.unsent.forEach { self.deliver($0["client_message_id"] as! String) }
        }
    }

    /// Repeated until it is acknowledged: the same client_message_id never makes a second message.
    private func deliver(_ ownId: String) {
        guard socket.status == .connected,
              let message = unsent.first(where: { $0["client_message_id"] as? String == ownId }) else { return }
        socket.emitWithAck("chat.send", message).timingOut(after: 10) { [weak self] data in
            // Without an acknowledgement in time, the data is the text "NO ACK".
            guard let self, let answer = data.first as? [String: Any] else { self?.deliver(ownId); return }
            if let status = (answer["error"] as? [String: Any])?["status"] as? Int, [429, 503].contains(status) {
                Task { @MainActor in try await Task.sleep(nanoseconds: 5_000_000_000); self.deliver(ownId) }
                return
            }
            self.unsent.removeAll { $0["client_message_id"] as? String == ownId }
            (answer["data"] as? [String: Any])?.values.forEach { self.show($0) }
        }
    }

    private func apply(_ delta: [String: Any]) {
        let part = delta["part"] as! String
        guard var message = messages[delta["message_id"] as! Int],
              let text = applyDelta(message[part] as! String, offset: delta["offset"] as! Int, text: delta["text"] as! String)
        else { return open() }
        message[part] = text
        show(message)
    }

    private func show(_ value: Any?) {
        guard let message = value as? [String: Any], message["conversation_id"] as? Int == id else { return }
        messages[message["id"] as! Int] = message
        onMessage(message)
    }
}
