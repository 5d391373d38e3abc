import { Injectable, PipeTransform } from '@nestjs/common';
import { NotFoundError } from '../errors/errors.js';

/** An id in a path; what is no positive integer names nothing, so it is "not found" (API.md 1). */
@Injectable()
export class IdPipe implements PipeTransform<string, number> {
  transform(text: string): number {
    const id = Number(text);
    if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(id)) throw new NotFoundError();
    return id;
  }
}
