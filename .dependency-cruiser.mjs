/**
 * The direction of imports: a file imports from its own folder and from the layers below it. `npm run structure` fails
 * on an import that points up, and on a cycle, type-only imports included. docs/architecture.md shows the same list.
 *
 * A layer names folders (`chat/streams/`: the files directly in it), files, and kinds of files (`*.entity.ts`).
 * Where several match a file, a kind or a file wins over a folder.
 */
export const LAYERS = [
  ['main.ts'],
  ['boot/', 'cli/'],
  ['app.module.ts', 'configure-app.ts', 'schema.ts'],
  ['docs/'],
  ['telemetry/'],
  ['docs/asyncapi/'],
  ['docs/openapi/'],
  ['demo/', 'export/', 'health/', 'mail-pages/', 'metrics/', 'playground/'],
  ['mail-pages/pages/'],
  ['playground/app/'],
  ['playground/app/screens/'],
  ['playground/app/chat/', 'playground/app/settings/'],
  ['playground/app/admin/'],
  ['playground/app/sidebar/'],
  ['playground/app/files/'],
  ['playground/app/markdown/'],
  ['playground/app/ui/'],
  ['playground/app/client/'],
  ['playground/app/i18n/'],
  ['admin/'],
  ['admin/users/', 'admin/audit/', 'admin/webhooks/', 'admin/invitations/', 'admin/configs/', 'admin/usage/'],
  ['chat/'],
  ['chat/transports/http/', 'chat/transports/socket-io/', 'chat/transports/websocket/'],
  ['chat/transports/shared/'],
  ['chat/*.service.ts', 'chat/chat.dto.ts'],
  ['chat/streams/'],
  ['chat/replies/recovery/'],
  ['chat/replies/'],
  ['chat/replies/prompts/', 'chat/replies/titles/'],
  ['chat/turns/'],
  ['chat/events/'],
  ['conversations/'],
  ['conversations/search/'],
  ['conversations/search/index/'],
  ['conversations/*.dto.ts'],
  ['conversations/messages/'],
  ['files/'],
  ['files/content/', 'files/storage/', 'files/upload/'],
  ['usage/*.controller.ts', 'usage/*.module.ts', 'usage/quotas.service.ts'],
  ['configs/'],
  ['auth/'],
  ['auth/identities/'],
  ['auth/sign-in.service.ts'],
  ['auth/guard/'],
  ['auth/recovery/', 'auth/totp/', 'auth/verification/'],
  ['auth/users/'],
  ['auth/roles/'],
  ['auth/invitations/', 'auth/passwords/'],
  ['auth/tokens/'],
  ['auth/mails/'],
  ['auth/sessions/'],
  ['auth/*.decorator.ts', 'auth/*.dto.ts', 'auth/*.errors.ts', 'auth/identity.ts', 'auth/actor.ts'],
  ['usage/'],
  ['throttling/'],
  ['mail/', 'webhooks/'],
  ['audit/'],
  ['ai/'],
  ['ai/request/'],
  ['ai/completion/'],
  ['ai/client/'],
  ['ai/egress/'],
  ['ai/errors/'],
  ['ai/tokenizer/'],
  ['ai/provider/'],
  ['database/database.module.ts'],
  ['*.entity.ts'],
  ['database/'],
  ['database/mysql/', 'database/sqlite/'],
  ['database/retry.ts'],
  ['events/'],
  ['encryption/'],
  ['common/redis/'],
  ['common/http/server/'],
  ['common/http/middleware/'],
  ['common/http/'],
  ['common/logging/'],
  ['common/tracing/'],
  ['common/validation/'],
  ['common/lifecycle/'],
  ['common/errors/'],
  ['common/json/'],
  ['common/text/'],
  ['common/async/'],
  ['env/'],
  ['env/rules/'],
];

const isFolder = (pattern) => pattern.endsWith('/');

/** @returns a regular expression for the files that a pattern matches */
function pathOf(pattern) {
  const escaped = pattern.replaceAll('.', '\\.').replace(/^\*/, '.*').replace(/\/\*/, '/[^/]*');
  return `^src/${escaped}${isFolder(pattern) ? '[^/]+' : ''}$`;
}

const filesAndKinds = LAYERS.flat().filter((pattern) => !isFolder(pattern));

/** @returns a rule's condition: the files that the patterns name, without those that other patterns name as a file or kind */
function filesOf(patterns) {
  const others = filesAndKinds.filter((pattern) => !patterns.includes(pattern));
  return { path: patterns.map(pathOf), pathNot: others.map(pathOf) };
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'in-a-layer',
      comment: 'Each file of src belongs to a layer.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: LAYERS.flat().map(pathOf) },
    },
    ...LAYERS.map((layer, n) => ({
      name: `${layer[0]} imports from a layer above`,
      severity: 'error',
      from: filesOf(layer),
      to: filesOf(LAYERS.slice(0, n).flat()),
    })).slice(1),
    // Folders of one layer do not import from each other: no transport knows another.
    ...LAYERS.map((layer) => layer.filter(isFolder)).flatMap((folders) =>
      folders.length > 1
        ? folders.map((folder) => ({
            name: `${folder} imports from a folder beside it`,
            severity: 'error',
            from: filesOf([folder]),
            to: filesOf(folders.filter((other) => other !== folder)),
          }))
        : [],
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$|^test/|^migrations/' },
  },
};
