import { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { bodyPipe, queryPipe } from './validation.js';

/** Validates bodies, which must not have unknown fields, and queries, whose unknown parameters are ignored. */
export class RequestPipe implements PipeTransform {
  private readonly body = bodyPipe();
  private readonly query = queryPipe();

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    if (metadata.type === 'body') return this.body.transform(value, metadata);
    if (metadata.type === 'query') return this.query.transform(value, metadata);
    return value;
  }
}
