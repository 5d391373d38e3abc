import { InitialSchema1760000000000 } from '../migrations/1760000000000-InitialSchema.js';
import { Deployment1764100000000 } from '../migrations/1764100000000-Deployment.js';
import { SearchIndex1764200000000 } from '../migrations/1764200000000-SearchIndex.js';
import { MessageSources1764310000000 } from '../migrations/1764310000000-MessageSources.js';
import { ClientMessageSpelling1764340000000 } from '../migrations/1764340000000-ClientMessageSpelling.js';
import { PurgeIndexes1764350000000 } from '../migrations/1764350000000-PurgeIndexes.js';
import { EmailKey1764360000000 } from '../migrations/1764360000000-EmailKey.js';
import { TitleKey1764360100000 } from '../migrations/1764360100000-TitleKey.js';
import { SearchIndexVersion1764360200000 } from '../migrations/1764360200000-SearchIndexVersion.js';
import { StreamTickets1764380000000 } from '../migrations/1764380000000-StreamTickets.js';
import { Mail1764400000000 } from '../migrations/1764400000000-Mail.js';
import { Accounts1764410000000 } from '../migrations/1764410000000-Accounts.js';
import { EmailVerification1764420000000 } from '../migrations/1764420000000-EmailVerification.js';
import { Totp1764430000000 } from '../migrations/1764430000000-Totp.js';
import { AuditEvents1764450000000 } from '../migrations/1764450000000-AuditEvents.js';
import { Files1764500000000 } from '../migrations/1764500000000-Files.js';
import { AuditEvent } from './audit/audit-event.entity.js';
import { Webhooks1764470000000 } from '../migrations/1764470000000-Webhooks.js';
import { DailyUsage1764460000000 } from '../migrations/1764460000000-DailyUsage.js';
import { SharedConfigs1764460100000 } from '../migrations/1764460100000-SharedConfigs.js';
import { MailToken } from './auth/mails/mail-token.entity.js';
import { Invitations1764440000000 } from '../migrations/1764440000000-Invitations.js';
import { ExternalIdentities1764441000000 } from '../migrations/1764441000000-ExternalIdentities.js';
import { ExternalIdentity } from './auth/identities/external-identity.entity.js';
import { Invitation } from './auth/invitations/invitation.entity.js';
import { KnownAddress } from './auth/sessions/known-address.entity.js';
import { RefreshToken } from './auth/sessions/refresh-token.entity.js';
import { Session } from './auth/sessions/session.entity.js';
import { StreamTicket } from './auth/tokens/stream-ticket.entity.js';
import { RecoveryCode } from './auth/totp/recovery-code.entity.js';
import { TotpSecret } from './auth/totp/totp-secret.entity.js';
import { User } from './auth/users/user.entity.js';
import { Node } from './chat/replies/recovery/node.entity.js';
import { ReplyChunk } from './conversations/messages/reply-chunk.entity.js';
import { ModelConfig } from './configs/model-config.entity.js';
import { Conversation } from './conversations/conversation.entity.js';
import { Message } from './conversations/messages/message.entity.js';
import { SearchPosting } from './conversations/search/index/search-posting.entity.js';
import { SearchSegment } from './conversations/search/index/search-segment.entity.js';
import { FileBlob } from './files/file-blob.entity.js';
import { StoredFile } from './files/file.entity.js';
import { MessageFile } from './files/message-file.entity.js';
import { QueuedMail } from './mail/queued-mail.entity.js';
import { WebhookDelivery } from './webhooks/webhook-delivery.entity.js';
import { DailyUsage } from './usage/daily-usage.entity.js';
import { Deployment } from './database/deployment.entity.js';

/** Entities and migrations, listed as classes: globs do not survive a build. */
export const SCHEMA = {
  entities: [
    User,
    Session,
    RefreshToken,
    StreamTicket,
    MailToken,
    Invitation,
    ExternalIdentity,
    KnownAddress,
    TotpSecret,
    RecoveryCode,
    ModelConfig,
    Conversation,
    Message,
    ReplyChunk,
    FileBlob,
    StoredFile,
    MessageFile,
    SearchSegment,
    SearchPosting,
    Node,
    QueuedMail,
    AuditEvent,
    WebhookDelivery,
    DailyUsage,
    Deployment,
  ],
  migrations: [
    InitialSchema1760000000000,
    Deployment1764100000000,
    SearchIndex1764200000000,
    MessageSources1764310000000,
    ClientMessageSpelling1764340000000,
    PurgeIndexes1764350000000,
    EmailKey1764360000000,
    TitleKey1764360100000,
    SearchIndexVersion1764360200000,
    StreamTickets1764380000000,
    Mail1764400000000,
    Accounts1764410000000,
    EmailVerification1764420000000,
    Totp1764430000000,
    Invitations1764440000000,
    ExternalIdentities1764441000000,
    AuditEvents1764450000000,
    DailyUsage1764460000000,
    SharedConfigs1764460100000,
    Webhooks1764470000000,
    Files1764500000000,
  ],
};
