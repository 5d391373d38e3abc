module example.com/parley-chat

go 1.22
