// A first chat through the generated Go SDK. Arguments: the server's URL, a new username.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	parley "parley.example/sdk/go"
)

func main() {
	url, name := os.Args[1], os.Args[2]
	email, password := name+"@example.com", "correct horse battery staple"
	settings := parley.NewConfiguration()
	settings.Servers = parley.ServerConfigurations{{URL: url}}
	client := parley.NewAPIClient(settings)
	ctx := context.Background()

	_, _, err := client.AccountsAPI.Register(ctx).Register(*parley.NewRegister(name, email, password)).Execute()
	check(err == nil, "register", err)
	tokens, _, err := client.AccountsAPI.Login(ctx).Login(*parley.NewLogin(email, password)).Execute()
	check(err == nil, "login", err)
	ctx = context.WithValue(ctx, parley.ContextAccessToken, tokens.AccessToken)

	params := parley.ModelParams{Stop: []string{"END"}}
	params.SetTemperature(0.5)
	create := parley.CreateConversation{Params: &params}
	conversation, _, err := client.ConversationsAPI.CreateConversation(ctx).CreateConversation(create).Execute()
	check(err == nil, "create", err)
	check(reflect.DeepEqual(conversation.Params.Stop, []string{"END"}), "params", nil)
	body := parley.NewSendMessage()
	body.SetContent("Hello 🙂")
	turn, _, err := client.ChatAPI.SendMessage(ctx, conversation.Id).SendMessage(*body).Execute()
	check(err == nil, "send", err)
	page, _, err := client.ConversationsAPI.GetConversation(ctx, conversation.Id).Execute()
	check(err == nil && len(page.Messages) == 2, "get", err)
	check(page.Messages[0].Content == "Hello 🙂" && page.Messages[1].Content == turn.AssistantMessage.Content, "messages", nil)

	_, _, err = client.ChatAPI.StopReply(ctx, conversation.Id).Execute()
	failure, isFailure := err.(*parley.GenericOpenAPIError)
	check(isFailure, "stop", err)
	problem, isProblem := failure.Model().(parley.Problem)
	check(isProblem && problem.Code == "no_reply_running", "problem", err)

	known, _ := json.Marshal(turn.UserMessage)
	unknown := strings.Replace(string(known), `"complete"`, `"paused"`, 1)
	var message parley.Message
	err = json.Unmarshal([]byte(unknown), &message)
	check(err == nil && message.Status == "paused", "unknown status", err)
	fmt.Println("Go:", strings.SplitN(turn.AssistantMessage.Content, "\n", 2)[0])
}

func check(holds bool, what string, err error) {
	if !holds {
		fmt.Println(what, err)
		os.Exit(1)
	}
}
