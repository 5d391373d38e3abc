#!/usr/bin/env bash
# A streaming chat with curl, jq and iconv.
#   PARLEY_EMAIL=ada@example.com PARLEY_PASSWORD=… ./chat.sh "What is a monad?"
set -euo pipefail
server=${PARLEY_URL:-http://localhost:3000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# post PATH JSON [CURL OPTION...]
post() {
  local path=$1 body=$2
  shift 2
  curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$body" "$@" "$server$path"
}

keep_tokens() {
  access_token=$(jq -r .access_token <<<"$1")
  refresh_token=$(jq -r .refresh_token <<<"$1")
  expires_at=$((SECONDS + $(jq .expires_in <<<"$1")))
}

login() {
  local body
  body=$(jq -n '{email: env.PARLEY_EMAIL, password: env.PARLEY_PASSWORD}')
  body=$(post /auth/login "$body")
  keep_tokens "$body"
}

# Refreshes an access token that expires within a minute.
refresh_if_needed() {
  local answer
  ((SECONDS > expires_at - 60)) || return 0
  answer=$(post /auth/refresh "$(jq -n --arg token "$refresh_token" '{refresh_token: $token}')")
  keep_tokens "$answer"
}

# Offsets count UTF-16 code units of two bytes, so the text is kept as UTF-16.
apply_delta() {
  local offset
  offset=$(jq .offset <<<"$1")
  ((2 * offset <= $(stat -c %s "$work/text"))) || return 1
  truncate -s $((2 * offset)) "$work/text"
  jq -j .text <<<"$1" | iconv -t UTF-16LE >>"$work/text"
}

# Prints what is new.
show() {
  tail -c +$((printed + 1)) "$work/text" | iconv -f UTF-16LE
  printed=$(stat -c %s "$work/text")
}

# Reads events until the reply is complete; fails where the stream breaks off.
read_events() {
  local field value id=
  while IFS=' ' read -r field value; do
    case $field in
      id:) id=$value ;;
      data:)
        case $(jq -r '.type + " " + (.part // .message.role // "")' <<<"$value") in
          'message.delta content') apply_delta "$value" || return 1 ;;
          'message.'*' assistant') jq -j .message.content <<<"$value" | iconv -t UTF-16LE >"$work/text" ;;
        esac
        show
        last_event_id=${id:-$last_event_id}
        [ "$(jq -r .type <<<"$value")" = message.completed ] && return 0
        ;;
    esac
  done
  return 1
}

login
id=$(post /conversations/create '{}' -H "Authorization: Bearer $access_token" | jq .id)
message=$(jq -n --arg content "$*" --arg id "$(cat /proc/sys/kernel/random/uuid)" '{content: $content, client_message_id: $id}')
printed=0
last_event_id=
: >"$work/text"

# A send without an answer is repeated: the same client_message_id never makes a second message. Once the reply has begun,
# the conversation's events are resumed after the last one seen.
for _ in $(seq 60); do
  refresh_if_needed
  headers=(-N -H "Authorization: Bearer $access_token" -H 'Accept: text/event-stream')
  if [ -z "$last_event_id" ]; then
    read_events < <(post "/conversations/$id/messages" "$message" "${headers[@]}" 2>/dev/null) && exit
  else
    read_events < <(curl -sS "${headers[@]}" -H "Last-Event-ID: $last_event_id" "$server/conversations/$id/events" 2>/dev/null) && exit
  fi
  sleep 1
done
exit 1
