module firstchat

go 1.23

require parley.example/sdk/go v0.0.0

require gopkg.in/validator.v2 v2.0.1

replace parley.example/sdk/go => ../../../sdk/go/generated
