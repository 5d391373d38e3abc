package chat;

import dev.parley.client.ApiClient;
import dev.parley.client.ApiException;
import dev.parley.client.api.AccountsApi;
import dev.parley.client.api.ChatApi;
import dev.parley.client.api.ConversationsApi;
import dev.parley.client.model.*;
import java.util.List;

/** A first chat through the generated Java SDK. Arguments: the server's URL, a new username. */
public class JavaFirstChat {
    public static void main(String[] arguments) throws Exception {
        String name = arguments[1];
        String email = name + "@example.com";
        String password = "correct horse battery staple";
        ApiClient client = new ApiClient();
        client.updateBaseUri(arguments[0]);
        new AccountsApi(client).register(new Register().username(name).email(email).password(password));
        TokenPair tokens = new AccountsApi(client).login(new Login().email(email).password(password));
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + tokens.getAccessToken()));

        ConversationsApi conversations = new ConversationsApi(client);
        ModelParams params = new ModelParams().temperature(0.5).stop(List.of("END"));
        Conversation conversation = conversations.createConversation(new CreateConversation().params(params));
        check(conversation.getParams().getStop().equals(List.of("END")), "params");
        Turn turn = new ChatApi(client).sendMessage(conversation.getId(), new SendMessage().content("Hello 🙂"));
        ConversationPage page = conversations.getConversation(conversation.getId(), null, null);
        List<String> contents = page.getMessages().stream().map(Message::getContent).toList();
        check(contents.equals(List.of("Hello 🙂", turn.getAssistantMessage().getContent())), "messages");

        try {
            new ChatApi(client).stopReply(conversation.getId());
            check(false, "nothing runs");
        } catch (ApiException failure) {
            Problem problem = ApiClient.createDefaultObjectMapper().readValue(failure.getResponseBody(), Problem.class);
            check(failure.getCode() == 409 && problem.getCode().equals("no_reply_running"), "problem");
        }
        String unknown = client.getObjectMapper().writeValueAsString(turn.getUserMessage()).replace("\"complete\"", "\"paused\"");
        check(client.getObjectMapper().readValue(unknown, Message.class).getStatus().equals("paused"), "unknown status");
        System.out.println("Java: " + turn.getAssistantMessage().getContent().lines().findFirst().orElse(""));
        System.exit(0);
    }

    private static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }
}
