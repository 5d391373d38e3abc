/// A streaming chat with socket_io_client 3, for Dart and Flutter. Not compiled or run by this project's tests.
library;

import 'dart:async';
import 'dart:convert';

import 'package:http/http.dart' as http;
import 'package:socket_io_client/socket_io_client.dart' as io;
import 'package:uuid/uuid.dart';

typedef Json = Map<String, dynamic>;

class Problem implements Exception {
  Problem(this.body);
  final Json body;
  @override
  String toString() => '${body['code']}: ${body['detail']}';
}

/// Access tokens, refreshed before they expire.
class Session {
  Session(this.server);
  final String server;
  late Json _tokens;
  late DateTime _expiresAt;
  Future<String>? _refreshing;

  Future<void> login(String email, String password) async =>
      _keep(await post('/auth/login', {'email': email, 'password': password}));

  /// One refresh at a time: a refresh token can be used once.
  Future<String> refresh() => _refreshing ??= _refresh().whenComplete(() => _refreshing = null);

  Future<String> _refresh() async {
    _keep(await post('/auth/refresh', {'refresh_token': _tokens['refresh_token']}));
    return _tokens['access_token'];
  }

  Future<String> accessToken() async =>
      DateTime.now().isAfter(_expiresAt.subtract(const Duration(seconds: 30))) ? refresh() : _tokens['access_token'];

  Future<int> createConversation() async =>
      (await post('/conversations/create', {}, token: await accessToken()))['id'];

  void _keep(Json pair) {
    _tokens = pair;
    _expiresAt = DateTime.now().add(Duration(seconds: pair['expires_in']));
  }

  Future<Json> post(String path, Json body, {String? token}) async {
    final headers = {'Content-Type': 'application/json', if (token != null) 'Authorization': 'Bearer $token'};
    final response = await http.post(Uri.parse('$server$path'), headers: headers, body: jsonEncode(body));
    // Without a charset, response.body would be read as Latin-1.
    final Json answer = jsonDecode(utf8.decode(response.bodyBytes));
    return response.statusCode >= 400 ? throw Problem(answer) : answer;
  }
}

/// Returns null where text is missing before the offset. Dart's strings are UTF-16, as offsets are.
String? applyDelta(String part, int offset, String text) =>
    offset > part.length ? null : part.substring(0, offset) + text;

/// One conversation over Socket.IO.
class Chat {
  Chat(this._session, this._id, this._onMessage) {
    final options = io.OptionBuilder()
        .setTransports(['websocket'])
        .disableAutoConnect()
        .enableForceNew()
        .setAuthFn((send) async => send({'token': await _session.accessToken()}))
        .build();
    _socket = io.io('${_session.server}/chat', options);
    // Runs after each reconnect too: the page contains what was missed, the deltas follow it.
    _socket.onConnect((_) => _open());
    for (final event in ['message.created', 'message.restarted', 'message.completed']) {
      _socket.on(event, (body) => _show(body['message']));
    }
    _socket.on('message.delta', (delta) => _apply(delta));
    _socket.on('session.expiring', (_) async => _call('auth.refresh', {'token': await _session.refresh()}));
    // Socket.IO does not reconnect by itself after the server has refused or closed a socket.
    _socket.onError(_refused);
    _socket.onConnectError(_refused);
    _socket.onDisconnect((reason) {
      if (reason == 'io server disconnect') _socket.connect();
    });
  }

  final Session _session;
  final int _id;
  final void Function(Json message) _onMessage;
  late final io.Socket _socket;
  final _messages = <int, Json>{};
  /// Messages without an acknowledgement.
  final _unsent = <Json>[];

  void connect() => _socket.connect();
  void close() => _socket.dispose();
  void _refused(dynamic problem) => problem is Map ? Timer(const Duration(seconds: 2), _socket.connect) : null;

  void send(String content) {
    final message = {'conversation_id': _id, 'content': content, 'client_message_id': const Uuid().v4()};
    _unsent.add(message);
    _deliver(message);
  }

  Future<void> _open() async {
    await _call('conversation.open', {'conversation_id': _id}, (page) => page['messages'].forEach(_show));
    [..._unsent].forEach(_deliver);
  }

  /// Repeated until it is acknowledged: the same client_message_id never makes a second message.
  Future<void> _deliver(Json message) async {
    while (_socket.connected && _unsent.contains(message)) {
      final answer = await _call('chat.send', message, (turn) => turn.values.forEach(_show));
      if (answer == null) continue;
      if (!answer['ok'] && [429, 503].contains(answer['error']['status'])) {
        await Future.delayed(const Duration(seconds: 5));
        continue;
      }
      if (!_unsent.remove(message)) return;
      if (!answer['ok']) throw Problem(Json.from(answer['error']));
    }
  }

  /// Returns null without an acknowledgement in time. `onData` runs before later events are handled; `await` resumes
  /// after those that arrived together with the acknowledgement.
  Future<Json?> _call(String command, Json body, [void Function(Json data)? onData]) {
    final answered = Completer<Json?>();
    _socket.emitWithAck(command, body, ack: (answer) {
      if (answer['ok']) onData?.call(Json.from(answer['data']));
      answered.complete(Json.from(answer));
    });
    return answered.future.timeout(const Duration(seconds: 10), onTimeout: () => null);
  }

  void _apply(Map delta) {
    final message = _messages[delta['message_id']];
    final text = message == null ? null : applyDelta(message[delta['part']], delta['offset'], delta['text']);
    if (text == null) return unawaited(_open());
    _show({...message!, delta['part']: text});
  }

  void _show(dynamic message) {
    if (message['conversation_id'] != _id) return;
    _messages[message['id']] = Json.from(message);
    _onMessage(_messages[message['id']]!);
  }
}
