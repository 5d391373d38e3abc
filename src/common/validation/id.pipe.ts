import { Injectable, PipeTransform } from '@nestjs/common';
import { NotFoundError } from '../errors/errors.js';

/** Parses an id in a path. Anything but a positive integer is reported as not found. */
@Injectable()
export class IdPipe implements PipeTransform<string, number> {
  transform(text: string): number {
    const id = Number(text);
    if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(id)) throw new NotFoundError();
    return id;
  }
}
