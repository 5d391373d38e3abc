import type { OpenAPIObject, OperationObject, ParameterObject, ReferenceObject } from '@nestjs/swagger';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolve, type Schema } from '../../src/docs/openapi/examples.js';
import { ServerProcess } from '../support/app/server-process.js';

export interface Operation {
  /** `POST /conversations/{id}/chat` */
  name: string;
  method: string;
  path: string;
  /** Whether the operation needs no token. */
  isPublic: boolean;
  parameters: ParameterObject[];
  /** Absent for operations without a body. */
  body?: { schema: Schema; example: Record<string, unknown> };
  source: OperationObject;
}

export interface SocketCommandDocument {
  name: string;
  body: Schema;
}

interface AsyncApi {
  servers: Record<string, unknown>;
  operations: Record<string, { action: string; channel: { $ref: string } }>;
  components: {
    messages: Record<string, { name: string; payload: Schema | ReferenceObject }>;
    schemas: Record<string, Schema>;
  };
}

/**
 * The server's OpenAPI and AsyncAPI documents, for tests of every operation. Read from the build, because only tsc runs
 * the plugin that reads comments and types of DTOs.
 */
export class ApiDocument {
  private constructor(
    readonly openApi: OpenAPIObject,
    readonly asyncApi: AsyncApi,
  ) {}

  static async of(url: string): Promise<ApiDocument> {
    const [openApi, asyncApi] = await Promise.all(
      ['/openapi.json', '/asyncapi.json'].map(async (path) => (await fetch(url + path)).json()),
    );
    return new ApiDocument(openApi as OpenAPIObject, asyncApi as AsyncApi);
  }

  /** Fetches the documents from a temporary process of the built server. */
  static async ofBuild(env: NodeJS.ProcessEnv = {}): Promise<ApiDocument> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-documents-'));
    const server = new ServerProcess(folder, env);
    try {
      return await ApiDocument.of(await server.url());
    } finally {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** @returns the commands of a socket channel, without the frame that authenticates */
  commandsOf(channel: string): SocketCommandDocument[] {
    const { operations, components } = this.asyncApi;
    return Object.entries(operations)
      .filter(
        ([
          ,
          {
            action,
            channel: { $ref },
          },
        ]) => action === 'receive' && $ref === `#/channels/${channel}`,
      )
      .map(([key]) => components.messages[key]!)
      .filter(({ name }) => name !== 'auth')
      .map(({ name, payload }) => ({ name, body: this.resolve(payload) }));
  }

  get operations(): Operation[] {
    return Object.entries(this.openApi.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, source]) =>
        this.operation(method.toUpperCase(), path, source as OperationObject),
      ),
    );
  }

  resolve(schema: Schema | ReferenceObject): Schema {
    const schemas = { ...this.openApi.components?.schemas, ...this.asyncApi.components.schemas };
    return '$ref' in schema ? resolve(schema, schemas) : schema;
  }

  /** @returns the properties of an object schema, including inherited ones */
  propertiesOf(schema: Schema | ReferenceObject): [name: string, property: Schema][] {
    const { properties = {}, allOf = [] } = this.resolve(schema);
    const own = Object.entries(properties).map(([name, property]): [string, Schema] => [
      name,
      this.resolve(property),
    ]);
    return [...own, ...allOf.flatMap((part) => this.propertiesOf(part))];
  }

  private operation(method: string, path: string, source: OperationObject): Operation {
    const { parameters = [], requestBody, security } = source;
    const media =
      requestBody && 'content' in requestBody ? requestBody.content['application/json'] : undefined;
    return {
      name: `${method} ${path}`,
      method,
      path,
      isPublic: security?.length === 0,
      parameters: parameters as ParameterObject[],
      body: media?.schema && {
        schema: this.resolve(media.schema),
        example: media.example as Record<string, unknown>,
      },
      source,
    };
  }
}
