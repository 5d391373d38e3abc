import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module.js';
import { AdmissionService } from './invitations/admission.service.js';
import { AccountDeletionService } from './users/account-deletion.service.js';
import { ModelConfig } from '../configs/model-config.entity.js';
import { StreamTicket } from './tokens/stream-ticket.entity.js';
import { User } from './users/user.entity.js';
import { EmailChangeService } from './users/email-change.service.js';
import { RegistrationService } from './users/registration.service.js';
import { UsersService } from './users/users.service.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './guard/auth.service.js';
import { JwtAuthGuard } from './guard/jwt-auth.guard.js';
import { Roles } from './roles/roles.service.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { UserRecords } from './users/user-records.service.js';
import { UserCreationService } from './users/user-creation.service.js';
import { UserDtos } from './users/user-dtos.service.js';
import { JwtStrategy } from './guard/jwt.strategy.js';
import { LoginService } from './login.service.js';
import { EncryptionModule } from '../encryption/encryption.module.js';
import { AiModule } from '../ai/ai.module.js';
import { ExchangeService } from './identities/exchange.service.js';
import { IdTokenVerifier } from './identities/id-token-verifier.service.js';
import { IdentitiesController } from './identities/identities.controller.js';
import { IdentitiesService } from './identities/identities.service.js';
import { IssuerKeys } from './identities/issuer-keys.service.js';
import { MailModule } from '../mail/mail.module.js';
import { ForgottenPasswordService } from './recovery/forgotten-password.service.js';
import { PasswordResetService } from './recovery/password-reset.service.js';
import { AccountMails } from './mails/account-mails.service.js';
import { PasswordReplacementService } from './passwords/password-replacement.service.js';
import { EmailVerificationService } from './verification/email-verification.service.js';
import { VerificationController } from './verification/verification.controller.js';
import { RecoveryController } from './recovery/recovery.controller.js';
import { MeController } from './users/me.controller.js';
import { GuessLimiter } from './passwords/guess-limiter.js';
import { PasswordChangeService } from './passwords/password-change.service.js';
import { PasswordVerificationService } from './passwords/password-verification.service.js';
import { ARGON2_PARAMETERS, PasswordService } from './passwords/password.service.js';
import { ReauthenticationService } from './passwords/reauthentication.service.js';
import { jwtOptions } from './tokens/jwt-options.js';
import { KeyRing } from './tokens/key-ring.js';
import { RefreshService } from './tokens/refresh.service.js';
import { ExpiryPurgeService } from './tokens/expiry-purge.service.js';
import { SessionSweep } from './sessions/session-sweep.service.js';
import { UserDeletionService } from './users/user-deletion.service.js';
import { UserControlService } from './users/user-control.service.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { SignInService } from './sign-in.service.js';
import { StreamTicketsService } from './tokens/stream-tickets.service.js';
import { TokensService } from './tokens/tokens.service.js';
import { SecondFactorService } from './totp/second-factor.service.js';
import { TotpActivationService } from './totp/totp-activation.service.js';
import { TotpController } from './totp/totp.controller.js';
import { TotpRemovalService } from './totp/totp-removal.service.js';
import { TotpSecrets } from './totp/totp-secrets.service.js';
import { TotpSetupService } from './totp/totp-setup.service.js';

/** Users, sessions and tokens, and the global guard of all HTTP routes. */
@Module({
  imports: [
    TypeOrmModule.forFeature([User, ModelConfig, StreamTicket]),
    PassportModule,
    AuditModule,
    EncryptionModule,
    AiModule,
    MailModule,
    WebhooksModule,
    JwtModule.registerAsync({ extraProviders: [KeyRing], inject: [KeyRing], useFactory: jwtOptions }),
  ],
  controllers: [
    AuthController,
    IdentitiesController,
    MeController,
    RecoveryController,
    SessionsController,
    TotpController,
    VerificationController,
  ],
  providers: [
    { provide: APP_GUARD, useClass: JwtAuthGuard },
    AccountDeletionService,
    AccountMails,
    AdmissionService,
    AuthService,
    EmailChangeService,
    EmailVerificationService,
    ExchangeService,
    ExpiryPurgeService,
    ForgottenPasswordService,
    IdTokenVerifier,
    IdentitiesService,
    IssuerKeys,
    GuessLimiter,
    JwtStrategy,
    KeyRing,
    LoginService,
    PasswordChangeService,
    PasswordReplacementService,
    PasswordResetService,
    PasswordVerificationService,
    { provide: PasswordService, useFactory: () => new PasswordService(ARGON2_PARAMETERS) },
    ReauthenticationService,
    RefreshService,
    RegistrationService,
    Roles,
    SecondFactorService,
    SessionSweep,
    SessionsService,
    SignInService,
    StreamTicketsService,
    TokensService,
    TotpActivationService,
    TotpRemovalService,
    TotpSecrets,
    TotpSetupService,
    UserControlService,
    UserCreationService,
    UserDeletionService,
    UserDtos,
    UserRecords,
    UsersService,
  ],
  exports: [
    IdentitiesService,
    AuditModule,
    UsersService,
    AuthService,
    Roles,
    SessionsService,
    TotpRemovalService,
    UserControlService,
    UserDeletionService,
    UserDtos,
  ],
})
export class AuthModule {}
