package chat

import com.google.gson.Gson
import dev.parley.rest.apis.AccountsApi
import dev.parley.rest.apis.ChatApi
import dev.parley.rest.apis.ConversationsApi
import dev.parley.rest.infrastructure.ApiClient
import dev.parley.rest.infrastructure.ClientException
import dev.parley.rest.models.*

/** A first chat through the generated Kotlin SDK. Arguments: the server's URL, a new username. */
fun main(arguments: Array<String>) {
    val (url, name) = arguments
    val password = "correct horse battery staple"
    val accounts = AccountsApi(url)
    accounts.register(Register(username = name, email = "$name@example.com", password = password))
    ApiClient.accessToken = accounts.login(Login("$name@example.com", password)).accessToken
    val params = ModelParams(temperature = 0.5, stop = listOf("END"))
    val conversation = ConversationsApi(url).createConversation(CreateConversation(params = params))
    check(conversation.params.temperature == 0.5 && conversation.params.stop == listOf("END"))

    val turn = ChatApi(url).sendMessage(conversation.id, SendMessage("Hello 🙂"))
    val page = ConversationsApi(url).getConversation(conversation.id)
    check(turn.assistantMessage.status == "complete" && turn.assistantMessage.content.isNotEmpty())
    check(page.messages.map { it.content } == listOf("Hello 🙂", turn.assistantMessage.content))

    try {
        ChatApi(url).stopReply(conversation.id)
        error("Nothing runs")
    } catch (failure: ClientException) {
        check(failure.statusCode == 409)
    }
    val unknown = Gson().toJson(turn.userMessage).replace("\"complete\"", "\"paused\"")
    check(Gson().fromJson(unknown, Message::class.java).status == "paused")
    println("Kotlin: ${turn.assistantMessage.content.lineSequence().first()}")
    System.exit(0)
}
