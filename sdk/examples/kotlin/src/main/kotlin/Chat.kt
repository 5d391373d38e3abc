// A streaming chat with the official Socket.IO client for Java and Android.
// mvn package && PARLEY_EMAIL=… PARLEY_PASSWORD=… java -cp 'target/classes:target/dependency/*' ChatKt "What is a monad?"

import io.socket.client.Ack
import io.socket.client.AckWithTimeout
import io.socket.client.IO
import io.socket.client.Manager
import io.socket.client.Socket
import io.socket.thread.EventThread
import org.json.JSONObject
import java.net.HttpURLConnection
import java.net.URI
import java.util.UUID
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.system.exitProcess

val server: String = System.getenv("PARLEY_URL") ?: "http://localhost:3000"

fun post(path: String, body: JSONObject, token: String? = null): JSONObject {
    val connection = URI(server + path).toURL().openConnection() as HttpURLConnection
    connection.doOutput = true
    connection.setRequestProperty("Content-Type", "application/json")
    token?.let { connection.setRequestProperty("Authorization", "Bearer $it") }
    connection.outputStream.use { it.write(body.toString().toByteArray()) }
    val failed = connection.responseCode >= 400
    val answer = JSONObject((if (failed) connection.errorStream else connection.inputStream).reader().readText())
    check(!failed) { answer.getString("detail") }
    return answer
}

/** Access tokens, refreshed before they expire. */
class Session(email: String, password: String) {
    private var tokens = post("/auth/login", JSONObject().put("email", email).put("password", password))
    private var expiresAt = expiry()

    @Synchronized
    fun accessToken(): String = if (System.nanoTime() > expiresAt - 30e9) refresh() else tokens.getString("access_token")

    @Synchronized
    fun refresh(): String {
        tokens = post("/auth/refresh", JSONObject().put("refresh_token", tokens.getString("refresh_token")))
        expiresAt = expiry()
        return tokens.getString("access_token")
    }

    private fun expiry() = System.nanoTime() + tokens.getLong("expires_in") * 1_000_000_000
}

/** One conversation. Everything but HTTP runs on the thread of Socket.IO's events. */
class Chat(private val session: Session, private val id: Long, private val onReply: (JSONObject) -> Unit) {
    private val messages = HashMap<Long, JSONObject>()
    private val unsent = ArrayList<JSONObject>() // Messages without an acknowledgement.
    private val auth = HashMap<String, String>()
    private val socket = IO.socket("$server/chat", IO.Options.builder().setAuth(auth).build())
    private val background = Executors.newSingleThreadScheduledExecutor { Thread(it).apply { isDaemon = true } }

    init {
        // Runs after each reconnect too: the page contains what was missed, the deltas follow it.
        socket.on(Socket.EVENT_CONNECT) { open() }
        for (event in listOf("message.created", "message.restarted", "message.completed")) {
            socket.on(event) { (body) -> show((body as JSONObject).getJSONObject("message")) }
        }
        socket.on("message.delta") { (delta) -> apply(delta as JSONObject) }
        socket.on("session.expiring") {
            background.execute { socket.emit("auth.refresh", JSONObject().put("token", session.refresh()), Ack { }) }
        }
        // Socket.IO does not reconnect by itself after the server has refused or closed a socket.
        socket.on(Socket.EVENT_CONNECT_ERROR) { (error) -> if (error is JSONObject) connect(2) }
        socket.on(Socket.EVENT_DISCONNECT) { (reason) -> if (reason == "io server disconnect") connect(0) }
        socket.io().on(Manager.EVENT_RECONNECT_ATTEMPT) { background.execute(::renewHandshake) }
    }

    fun connect(delaySeconds: Long = 0) {
        background.schedule({ renewHandshake(); socket.connect() }, delaySeconds, TimeUnit.SECONDS)
    }

    fun send(content: String) {
        val message = JSONObject().put("client_message_id", UUID.randomUUID().toString())
        message.put("conversation_id", id).put("content", content)
        EventThread.exec { unsent.add(message).also { deliver(message) } }
    }

    fun close() = socket.close()

    private fun renewHandshake() = runCatching { auth["token"] = session.accessToken() }.let { }

    private fun open() {
        socket.emit("conversation.open", JSONObject().put("conversation_id", id), Ack { (answer) ->
            val page = (answer as JSONObject).optJSONObject("data")?.getJSONArray("messages") ?: return@Ack
            for (i in 0 until page.length()) show(page.getJSONObject(i))
            unsent.toList().forEach(::deliver)
        })
    }

    /** Repeated until it is acknowledged: the same client_message_id never makes a second message. */
    private fun deliver(message: JSONObject) {
        if (!socket.connected() || message !in unsent) return
        val repeat = Runnable { EventThread.exec { deliver(message) } }
        socket.emit("chat.send", arrayOf<Any>(message), object : AckWithTimeout(10_000) {
            override fun onTimeout() = repeat.run()
            override fun onSuccess(vararg args: Any) {
                val answer = args[0] as JSONObject
                val error = answer.optJSONObject("error")
                val isTemporary = error?.getInt("status") in listOf(429, 503)
                if (isTemporary) return background.schedule(repeat, 5, TimeUnit.SECONDS).let { }
                unsent.remove(message)
                if (error != null) return System.err.println(error.getString("detail"))
                val turn = answer.getJSONObject("data")
                show(turn.getJSONObject("user_message"))
                show(turn.getJSONObject("assistant_message"))
            }
        })
    }

    /** Strings of the JVM are UTF-16, as offsets are. */
    private fun apply(delta: JSONObject) {
        val message = messages[delta.getLong("message_id")] ?: return open()
        val part = message.getString(delta.getString("part"))
        if (delta.getInt("offset") > part.length) return open()
        val text = part.substring(0, delta.getInt("offset")) + delta.getString("text")
        show(message.put(delta.getString("part"), text))
    }

    private fun show(message: JSONObject) {
        if (message.getLong("conversation_id") != id) return
        messages[message.getLong("id")] = message
        if (message.getString("role") == "assistant") onReply(message)
    }
}

fun main(words: Array<String>) {
    val session = Session(System.getenv("PARLEY_EMAIL"), System.getenv("PARLEY_PASSWORD"))
    val conversation = post("/conversations/create", JSONObject(), session.accessToken())
    val completed = CountDownLatch(1)
    var printed = 0
    val chat = Chat(session, conversation.getLong("id")) { reply ->
        val text = reply.getString("content")
        print(text.substring(printed))
        printed = text.length
        if (reply.getString("status") != "streaming") completed.countDown()
    }
    chat.connect()
    chat.send(words.joinToString(" "))
    completed.await()
    chat.close()
    exitProcess(0)
}
